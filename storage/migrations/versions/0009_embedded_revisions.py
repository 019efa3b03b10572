"""Columns for the revision of the embedded model that gave an answer, or under which a threshold was chosen.

This migration only adds columns that may be empty. Answers and thresholds from before have no revision. Those of a model
of the provider `local` count as another revision's, and all others stay valid.

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
