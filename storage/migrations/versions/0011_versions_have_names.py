"""The number of each release, from 1 in the order of creation, and the number of rows that its model was trained on.

This migration only adds columns that may be empty. The database itself fills them for every new release, because a
replica of the previous version, which does not know them, may add one too.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NEXT = "(SELECT coalesce(max(version), 0) + 1 FROM releases)"
EXAMPLES = "(SELECT count(*) FROM finetune_rows WHERE finetune_id = {release}.finetune_id)"
SERVING_LOCK = 0x4D41444F_02
"""`storage.locks.Lock.SERVING`: two replicas that add a release take turns, so both do not get one number."""


def upgrade() -> None:
    op.add_column("releases", sa.Column("version", sa.Integer(), nullable=True))
    op.add_column("releases", sa.Column("examples", sa.Integer(), nullable=True))
    earlier = "(SELECT count(*) FROM releases AS earlier WHERE earlier.number <= releases.number)"
    op.execute(f"UPDATE releases SET version = {earlier}, examples = {EXAMPLES.format(release='releases')}")
    op.create_index("uq_releases_version", "releases", ["version"], unique=True)
    examples = EXAMPLES.format(release="NEW")
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER releases_version AFTER INSERT ON releases BEGIN "
            f"UPDATE releases SET version = {NEXT}, examples = {examples} WHERE number = NEW.number; END"
        )
        return
    op.execute(
        "CREATE FUNCTION number_release() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_advisory_xact_lock({SERVING_LOCK}); "
        f"NEW.version := {NEXT}; NEW.examples := {examples}; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER releases_version BEFORE INSERT ON releases FOR EACH ROW EXECUTE FUNCTION number_release()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER releases_version")
    else:
        op.execute("DROP TRIGGER releases_version ON releases")
        op.execute("DROP FUNCTION number_release()")
    op.drop_index("uq_releases_version", "releases")
    op.drop_column("releases", "examples")
    op.drop_column("releases", "version")
