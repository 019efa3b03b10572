"""Indexes for deleted messages: whether one is a question, a row, or quoted in a question.

This migration only adds indexes. Replicas of the previous version search as before.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("authors IS NOT NULL")
    op.create_index("ix_questions_authors", "questions", ["id"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_rows_channel_ts", "rows", ["channel", "ts"])


def downgrade() -> None:
    op.drop_index("ix_rows_channel_ts", "rows")
    op.drop_index("ix_questions_authors", "questions")
