"""Tables and columns for several replicas, for outages of the model and for catching up after downtime.

This migration only adds, each column with a default: replicas of the previous version keep writing.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", KEY, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "replicas",
        sa.Column("id", KEY, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replicas"),
    )
    op.create_table(
        "cursors",
        sa.Column("name", KEY, nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("moved_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursors"),
    )
    oldest = op.create_table(
        "oldest_program",
        sa.Column("revision", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_oldest_program"),
    )
    op.bulk_insert(oldest, [{"revision": "0001"}])
    op.add_column("inbox", sa.Column("place", sa.Text(), nullable=True))
    op.create_index("ix_inbox_place", "inbox", ["place"])
    op.create_index("ix_outbox_topic_id", "outbox", ["topic", "id"])
    op.create_index("ix_verdicts_at", "verdicts", ["at"])
    op.add_column("finetune_rows", sa.Column("text", sa.Text(), nullable=True))
    op.add_column("questions", sa.Column("late", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("verdicts", sa.Column("provisional", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("verdicts", "provisional")
    op.drop_column("questions", "late")
    op.drop_column("finetune_rows", "text")
    op.drop_index("ix_verdicts_at", table_name="verdicts")
    op.drop_index("ix_outbox_topic_id", table_name="outbox")
    op.drop_index("ix_inbox_place", table_name="inbox")
    op.drop_column("inbox", "place")
    op.drop_table("oldest_program")
    op.drop_table("cursors")
    op.drop_table("replicas")
    op.drop_table("leases")
