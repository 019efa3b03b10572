"""Tables for vectors of texts from an embedding model, and for the tokens that they cost.

This migration only adds tables: replicas of the previous version ignore them.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "embeddings",
        sa.Column("model", KEY, nullable=False),
        sa.Column("text_hash", KEY, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("model", "text_hash", name="pk_embeddings"),
    )
    op.create_index("ix_embeddings_used_at", "embeddings", ["used_at"])
    op.create_table(
        "embedding_tokens",
        sa.Column("model", KEY, nullable=False),
        sa.Column("day", KEY, nullable=False),
        sa.Column("tokens", BIG, nullable=False),
        sa.PrimaryKeyConstraint("model", "day", name="pk_embedding_tokens"),
    )


def downgrade() -> None:
    op.drop_table("embedding_tokens")
    op.drop_index("ix_embeddings_used_at", table_name="embeddings")
    op.drop_table("embeddings")
