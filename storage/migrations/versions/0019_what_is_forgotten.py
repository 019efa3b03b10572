"""Tables for what is forgotten, and a gate in the triggers of the append-only histories.

A transaction that forgets first writes a row into `erasing` and removes it before it commits, so no other transaction
ever sees it. Replicas of the previous version cannot open the gate: for them the histories are as append-only as before.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON(none_as_null=True)
FEEDBACK_UPDATE = "UPDATE OF question_id, seq, kind, by, at"
CLOSED = "NOT EXISTS (SELECT 1 FROM erasing)"
SQLITE = {
    ("corrections", "update"): "UPDATE",
    ("corrections", "delete"): "DELETE",
    ("feedback", "update"): FEEDBACK_UPDATE,
    ("feedback", "delete"): "DELETE",
    ("review_marks", "update"): "UPDATE",
    ("review_marks", "delete"): "DELETE",
    ("audit_log", "update"): "UPDATE",
    ("audit_log", "delete"): "DELETE",
}
POSTGRESQL = {
    ("corrections", "corrections_append_only"): "UPDATE OR DELETE",
    ("feedback", "feedback_refuse_update"): FEEDBACK_UPDATE,
    ("feedback", "feedback_refuse_delete"): "DELETE",
    ("review_marks", "review_marks_append_only"): "UPDATE OR DELETE",
    ("audit_log", "audit_log_refuse_update"): "UPDATE",
    ("audit_log", "audit_log_refuse_delete"): "DELETE",
}


def upgrade() -> None:
    op.create_table(
        "forget_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("counts", DOCUMENT, nullable=False),
        sa.Column("left", DOCUMENT, nullable=False),
        sa.Column("trained", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forget_requests"),
    )
    op.create_table(
        "tombstones",
        sa.Column("place", KEY, nullable=False),
        sa.Column("group_hash", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_tombstones"),
    )
    op.create_table(
        "forgotten_tokens",
        sa.Column("release_id", KEY, nullable=False),
        sa.Column("day", KEY, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("tokens_in", NUMBER, nullable=False),
        sa.Column("tokens_out", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("release_id", "day", "live", name="pk_forgotten_tokens"),
    )
    op.create_table(
        "erasing",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasing"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _replace_on_sqlite(f"WHEN {CLOSED} ")
        return
    op.execute(
        "CREATE FUNCTION refuse_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {CLOSED} THEN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END IF; "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    )
    _replace_on_postgresql("refuse_unless_erasing")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _replace_on_sqlite("")
    else:
        _replace_on_postgresql("refuse_change")
        op.execute("DROP FUNCTION refuse_unless_erasing()")
    for table in ("erasing", "forgotten_tokens", "tombstones", "forget_requests"):
        op.drop_table(table)


def _replace_on_sqlite(condition: str) -> None:
    for (table, name), change in SQLITE.items():
        op.execute(f"DROP TRIGGER {table}_refuse_{name}")
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{name} BEFORE {change} ON {table} {condition}"
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _replace_on_postgresql(function: str) -> None:
    for (table, name), change in POSTGRESQL.items():
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"CREATE TRIGGER {name} BEFORE {change} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()")
