"""A table for what staff say of an entry of the review queue without settling it: skipped, not a question.

This migration only adds a table, a column with a default and two indexes. Replicas of the previous version still show a
question that was set aside.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

VERBS = ("UPDATE", "DELETE")


def upgrade() -> None:
    op.create_table(
        "review_marks",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_review_marks"),
    )
    op.create_index("ix_review_marks_by_at", "review_marks", ["by", "at"])
    op.create_index("ix_corrections_by_at", "corrections", ["by", "at"])
    op.create_index("ix_questions_asker_asked_at", "questions", ["asker", "asked_at"])
    op.add_column("questions", sa.Column("set_aside", sa.Boolean(), server_default=sa.false(), nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        for verb in VERBS:
            op.execute(
                f"CREATE TRIGGER review_marks_refuse_{verb.lower()} BEFORE {verb} ON review_marks "
                "BEGIN SELECT RAISE(ABORT, 'review_marks is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER review_marks_append_only BEFORE UPDATE OR DELETE ON review_marks "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_column("questions", "set_aside")
    op.drop_index("ix_questions_asker_asked_at", "questions")
    op.drop_index("ix_corrections_by_at", "corrections")
    op.drop_table("review_marks")
