"""A column for the second question of a message.

This migration only adds a column. A replica of the previous version shows the second question in its review list, but
without a working link. It also updates the card of both questions with one of them; the next update by a new replica
mends the card.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("questions", sa.Column("part_of", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("questions", "part_of")
