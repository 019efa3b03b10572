"""Columns and a table for direct messages: what their askers decided, and where the sent ones were posted.

Direct messages from before have no decision, so they count as private, and so do their rows. The rows are marked as
changed: the mirror reads them anew at its next start and takes them out of the tracker's dataset.

Revision ID: 0013
Revises: 0012
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROWS = sa.table(
    "rows",
    sa.column("audience", sa.Text()),
    sa.column("channel", sa.Text()),
    sa.column("touched_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.add_column("questions", sa.Column("disclosure", sa.Text(), nullable=True))
    op.create_table(
        "sent_messages",
        sa.Column("channel", KEY, nullable=False),
        sa.Column("ts", KEY, nullable=False),
        sa.Column("question_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("channel", "ts", name="pk_sent_messages"),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name="fk_sent_messages_question_id_questions"),
    )
    now = datetime.now(UTC)
    moment = now.replace(tzinfo=None) if op.get_bind().dialect.name == "sqlite" else now
    direct = sa.or_(ROWS.c.audience == "direct", ROWS.c.channel.like("D%"))
    op.execute(sa.update(ROWS).where(direct).values(touched_at=moment))


def downgrade() -> None:
    op.drop_table("sent_messages")
    op.drop_column("questions", "disclosure")
