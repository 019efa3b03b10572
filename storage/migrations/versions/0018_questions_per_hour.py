"""A table for what each person asked lately, for the limit of questions per hour.

This migration only adds a table. Replicas of the previous version answer without a limit.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "askers",
        sa.Column("person", KEY, nullable=False),
        sa.Column("lately", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", name="pk_askers"),
    )


def downgrade() -> None:
    op.drop_table("askers")
