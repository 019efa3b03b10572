"""A column for what a settled conflict changed in imported rows, so that the press can be taken back.

This migration only adds a column. A conflict that an earlier program settled has none, and keeps no *Undo*.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_marks", sa.Column("before", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("review_marks", "before")
