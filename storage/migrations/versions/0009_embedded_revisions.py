"""Columns for the revision of the embedded model that gave an answer, or under which a threshold was chosen.

This migration only adds columns that may be empty. What has no revision (from before, or of a replica of the previous
version) counts as another revision's, for models of the provider `local`, and as valid for all others.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = (
    ("results", "revision"),
    ("verdicts", "revision"),
    ("evaluation_batches", "revision"),
    ("releases", "unsure_revision"),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.Text(), nullable=True))


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
