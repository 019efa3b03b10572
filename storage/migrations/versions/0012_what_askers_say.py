"""Tables for what askers say about answers and for owners' reactions, a column for the next likely categories, and an index.

This migration only adds. What an asker said stays as it is; only the sentence
may be erased later.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
REFUSED = {"update": "UPDATE OF question_id, seq, kind, by, at", "delete": "DELETE"}


def upgrade() -> None:
    op.add_column("verdicts", sa.Column("others", sa.JSON(none_as_null=True), nullable=True))
    op.create_index("ix_questions_card_ts", "questions", ["card_ts"])
    op.create_table(
        "feedback",
        sa.Column("question_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name="fk_feedback_question_id_questions"),
        sa.PrimaryKeyConstraint("question_id", "seq", name="pk_feedback"),
    )
    op.create_table(
        "signals",
        sa.Column("question_id", KEY, nullable=False),
        sa.Column("message_ts", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("by", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["question_id"], ["questions.id"], name="fk_signals_question_id_questions"),
        sa.PrimaryKeyConstraint("question_id", "message_ts", "kind", "by", name="pk_signals"),
    )
    for name, change in REFUSED.items():
        if op.get_bind().dialect.name == "sqlite":
            op.execute(
                f"CREATE TRIGGER feedback_refuse_{name} BEFORE {change} ON feedback "
                "BEGIN SELECT RAISE(ABORT, 'feedback is append-only'); END"
            )
        else:
            op.execute(
                f"CREATE TRIGGER feedback_refuse_{name} BEFORE {change} ON feedback "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )


def downgrade() -> None:
    op.drop_table("signals")
    op.drop_table("feedback")
    op.drop_index("ix_questions_card_ts", table_name="questions")
    op.drop_column("verdicts", "others")
