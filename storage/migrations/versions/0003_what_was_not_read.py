"""A column for what of a question's message was not read.

This migration only adds a column that may be empty: replicas of the previous version keep writing.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("questions", sa.Column("unread", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("questions", "unread")
