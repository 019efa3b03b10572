"""A table for what admins decided about rows that were set aside.

This migration only adds a table. Replicas of the previous version set nothing aside.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "looks",
        sa.Column("row_id", KEY, nullable=False),
        sa.Column("settled_at", MOMENT, nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("row_id", name="pk_looks"),
    )


def downgrade() -> None:
    op.drop_table("looks")
