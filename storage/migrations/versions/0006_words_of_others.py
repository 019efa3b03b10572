"""Columns for other people's words in a question, and for the agreement of these people.

This migration only adds columns that may be empty or have a default. Replicas of the previous version read an arrival
without the quotes that it does not know. The triggers keep them, and every later mistake, from making a row of a text
whose authors have not agreed.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WITHHELD = "SELECT 1 FROM questions WHERE questions.id = NEW.id AND questions.withheld"
REFUSAL = "an author of this text has not agreed"


def upgrade() -> None:
    op.add_column("inbox", sa.Column("others", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("questions", sa.Column("authors", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("questions", sa.Column("withheld", sa.Boolean(), server_default=sa.false(), nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("INSERT", "UPDATE"):
            op.execute(
                f"CREATE TRIGGER rows_withheld_{verb.lower()} BEFORE {verb} ON rows "
                f"WHEN NEW.withdrawn_at IS NULL AND EXISTS ({WITHHELD}) "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_withheld() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF EXISTS ({WITHHELD}) THEN RAISE EXCEPTION '{REFUSAL}'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER rows_withheld BEFORE INSERT OR UPDATE ON rows "
        "FOR EACH ROW WHEN (NEW.withdrawn_at IS NULL) EXECUTE FUNCTION refuse_withheld()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER rows_withheld_insert")
        op.execute("DROP TRIGGER rows_withheld_update")
    else:
        op.execute("DROP TRIGGER rows_withheld ON rows")
        op.execute("DROP FUNCTION refuse_withheld()")
    op.drop_column("questions", "withheld")
    op.drop_column("questions", "authors")
    op.drop_column("inbox", "others")
