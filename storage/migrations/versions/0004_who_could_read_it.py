"""Columns for who can read a question where it was asked, and for answers that repeat a settled row.

This migration only adds columns with a default: replicas of the previous version keep writing. What they write has an
unknown audience, which counts as private.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UNKNOWN = sa.text("audience = 'unknown'")


def upgrade() -> None:
    for table in ("inbox", "questions", "rows"):
        op.add_column(table, sa.Column("audience", sa.Text(), server_default="unknown", nullable=False))
    for table in ("questions", "rows"):
        name = f"ix_{table}_audience_unknown"
        op.create_index(name, table, ["channel"], sqlite_where=UNKNOWN, postgresql_where=UNKNOWN)
    op.add_column("verdicts", sa.Column("settled_row", sa.Text(), nullable=True))
    op.add_column("verdicts", sa.Column("row_settled_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("verdicts", "row_settled_at")
    op.drop_column("verdicts", "settled_row")
    for table in ("rows", "questions"):
        op.drop_index(f"ix_{table}_audience_unknown", table_name=table)
    for table in ("rows", "questions", "inbox"):
        op.drop_column(table, "audience")
