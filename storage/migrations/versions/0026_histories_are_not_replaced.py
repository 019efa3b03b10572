"""Triggers against the two ways that passed by those of the append-only histories.

SQLite deletes a row for `INSERT OR REPLACE` without its DELETE triggers. PostgreSQL has triggers of their own for
TRUNCATE. Replicas of the previous version do neither.

Revision ID: 0026
Revises: 0025
"""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

HISTORIES = {
    "corrections": ("question_id", "seq"),
    "feedback": ("question_id", "seq"),
    "review_marks": ("number",),
    "release_events": ("number",),
    "prompt_events": ("number",),
    "audit_log": ("seq",),
}
"""Table → the columns of its primary key; no other columns of it are unique."""


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, key in HISTORIES.items():
        if on_sqlite:
            same = " AND ".join(f"{column} = NEW.{column}" for column in key)
            op.execute(
                f"CREATE TRIGGER {table}_refuse_replace BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        else:
            op.execute(
                f"CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )


def downgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for table in HISTORIES:
        op.execute(
            f"DROP TRIGGER {table}_refuse_replace" if on_sqlite else f"DROP TRIGGER {table}_refuse_truncate ON {table}"
        )
