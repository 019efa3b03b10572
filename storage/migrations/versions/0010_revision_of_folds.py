"""A column for the revision of the embedded model that gave an out-of-fold answer.

This migration only adds a column that may be empty. Answers without a revision count as another revision's, for models
of the provider `local`, and as valid for all others.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("out_of_fold", sa.Column("revision", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("out_of_fold", "revision")
