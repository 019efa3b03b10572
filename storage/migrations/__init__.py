"""Alembic's migrations, found beside this file wherever the process was started."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


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
    known = {script.revision for script in ScriptDirectory.from_config(config(connection)).walk_revisions()}
    return found if found and found not in known else None
