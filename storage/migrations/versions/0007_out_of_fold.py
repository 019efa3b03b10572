"""A table for the out-of-fold answers of a fine-tune, and a column for how much its model counts beside the prompt.

This migration only adds. Replicas of the previous version do not read what it adds; a fine-tune that one of them takes
over has no out-of-fold answers and is compared on held-out and newer rows.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "out_of_fold",
        sa.Column("finetune_id", KEY, nullable=False),
        sa.Column("row_id", KEY, nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(53), nullable=True),
        sa.Column("apart", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["finetune_id"], ["finetunes.id"], name=op.f("fk_out_of_fold_finetune_id_finetunes")
        ),
        sa.PrimaryKeyConstraint("finetune_id", "row_id", name=op.f("pk_out_of_fold")),
    )
    op.add_column("finetunes", sa.Column("trust", sa.Float(53), nullable=True))


def downgrade() -> None:
    op.drop_column("finetunes", "trust")
    op.drop_table("out_of_fold")
