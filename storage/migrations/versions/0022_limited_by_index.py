"""An index for the questions that were beyond the limit per hour, so that the status need not read the whole inbox.

This migration only adds an index. Replicas of the previous version count as before.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("why = 'too_many'")
    op.create_index("ix_inbox_limited", "inbox", ["ended_at"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_inbox_limited", "inbox")
