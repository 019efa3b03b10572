"""A table for the files and lists in Slack that show questions, so that forgetting removes them there.

This migration only adds a table. What replicas of the previous version post is not noted there.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "posts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("holds", sa.JSON(), nullable=False),
        sa.Column("ts", sa.Text()),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("leaving", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
    )


def downgrade() -> None:
    op.drop_table("posts")
