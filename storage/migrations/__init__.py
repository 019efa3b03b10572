"""Alembic's migrations, located beside this file whatever the working directory is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from storage.tables import oldest_program


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for migrations within the transaction of this connection."""
    alembic_config = Config()
    # A single percent sign would start an interpolation.
    alembic_config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    alembic_config.attributes["connection"] = connection
    return alembic_config


def upgrade(connection: Connection) -> None:
    """Apply the missing migrations; the caller commits."""
    command.upgrade(config(connection), "head")


def unknown_revision(connection: Connection) -> str | None:
    """Return the revision of the tables if this program does not know it: a newer program made them."""
    revision = MigrationContext.configure(connection).get_current_revision()
    return revision if revision and revision not in _known_revisions(connection) else None


def is_current(connection: Connection) -> bool:
    """Return whether all migrations of this program are applied."""
    newest = ScriptDirectory.from_config(config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == newest


def is_too_new(connection: Connection) -> bool:
    """Return whether the tables are too new for this program.

    The table `oldest_program` holds the oldest revision whose program may use the tables. A migration that only adds
    (expand) keeps that revision. A migration that removes something (contract) writes the first revision whose program
    did without the removed part. If this program does not know the stored revision, it is too old.
    """
    oldest = connection.execute(select(oldest_program.c.revision)).scalar()
    return oldest not in _known_revisions(connection)


def _known_revisions(connection: Connection) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(config(connection)).walk_revisions()}
