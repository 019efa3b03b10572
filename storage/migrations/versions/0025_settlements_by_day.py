"""An index for how many rows a person settled on a day, which is asked for each row that would answer.

This migration only adds an index. Replicas of the previous version let rows answer that were settled in a burst.

Revision ID: 0025
Revises: 0024
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_rows_by_settled_at", "rows", ["by", "settled_at"])


def downgrade() -> None:
    op.drop_index("ix_rows_by_settled_at", "rows")
