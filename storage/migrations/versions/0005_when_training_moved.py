"""Columns for when a fine-tune started, when it last went on, and when people were told that it does not.

This migration only adds columns that may be empty: replicas of the previous version keep writing.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENTS = ("started_at", "progressed_at", "stalled_at")


def upgrade() -> None:
    for name in MOMENTS:
        op.add_column("finetunes", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in reversed(MOMENTS):
        op.drop_column("finetunes", name)
