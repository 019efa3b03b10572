"""A table for versions that were trained automatically, and for paid trainings that are proposed.

This migration only adds a table. Replicas of the previous version never propose anything.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "proposals",
        sa.Column("finetune_id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("release_id", sa.Text(), nullable=True),
        sa.Column("over", sa.Text(), nullable=True),
        sa.Column("fixed", sa.Integer(), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=True),
        sa.Column("usd", sa.Float(53), nullable=True),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("shown", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("finetune_id", name="pk_proposals"),
        sa.ForeignKeyConstraint(["finetune_id"], ["finetunes.id"], name="fk_proposals_finetune_id_finetunes"),
    )
    where = sa.text("state IN ('asking', 'training', 'open')")
    op.create_index("uq_proposals_state", "proposals", ["state"], unique=True, sqlite_where=where, postgresql_where=where)



def downgrade() -> None:
    op.drop_table("proposals")
