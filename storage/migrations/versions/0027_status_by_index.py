"""Indexes of the rows by what the status counts, and of the corrections after the first, which few questions have.

This migration changes indexes only. The one by group gets more columns, and replicas of the previous version use it, too.

Revision ID: 0027
Revises: 0026
"""

from alembic import op
from sqlalchemy import text

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

OF_GROUPS = ("group", "split", "withdrawn_at", "audience", "channel", "settled_at", "id")
COUNTED = ("category", "split", "source", "by", "withdrawn_at", "audience", "channel", "settled_at", "id")
AGAIN = text("seq > 1")


def upgrade() -> None:
    op.create_index("ix_rows_counted", "rows", [*COUNTED])
    op.create_index("ix_rows_of_groups", "rows", [*OF_GROUPS])
    op.drop_index("ix_rows_group", "rows")
    again = ["question_id", "seq"]
    op.create_index("ix_corrections_again", "corrections", again, sqlite_where=AGAIN, postgresql_where=AGAIN)


def downgrade() -> None:
    op.drop_index("ix_corrections_again", "corrections")
    op.create_index("ix_rows_group", "rows", ["group"])
    op.drop_index("ix_rows_of_groups", "rows")
    op.drop_index("ix_rows_counted", "rows")
