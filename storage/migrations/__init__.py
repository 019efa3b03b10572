"""Alembic's migrations, found beside this file wherever the process was started."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from storage.tables import oldest_program


def config(connection: Connection) -> Config:
    """Alembic's configuration for the migrations of this database, within the connection's transaction."""
    made = Config()
    # A percent sign would be read as an interpolation.
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """Apply what is missing; the caller commits."""
    command.upgrade(config(connection), "head")


def unknown(connection: Connection) -> str | None:
    """The revision that the tables are at, where this program has never heard of it: a newer one made them."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found if found and found not in _known(connection) else None


def current(connection: Connection) -> bool:
    """Whether no migration of this program is missing."""
    newest = ScriptDirectory.from_config(config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == newest


def outgrown(connection: Connection) -> bool:
    """Whether the tables no longer fit this program: the oldest revision that they say may be worked with is newer.

    A migration that only adds (expand) leaves that as it is; one that takes away (contract) writes the revision whose
    program first did without.
    """
    oldest = connection.execute(select(oldest_program.c.revision)).scalar()
    return oldest not in _known(connection)


def _known(connection: Connection) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(config(connection)).walk_revisions()}
