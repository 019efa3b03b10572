"""Alembic's migrations, located beside this file whatever the working directory is.

Alembic itself is imported only if a migration is missing: it takes memory, and a quarter of a second of each start.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Text, column, inspect, select, table

from storage.tables import oldest_program

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
VERSION_TABLE = "alembic_version"


def config(connection: Connection) -> "Config":
    """Return Alembic's configuration for migrations within the transaction of this connection."""
    from alembic.config import Config

    alembic_config = Config()
    # A single percent sign would start an interpolation.
    alembic_config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    alembic_config.attributes["connection"] = connection
    return alembic_config


def upgrade(connection: Connection) -> None:
    """Apply the missing migrations; the caller commits."""
    if is_current(connection):
        return
    from alembic import command

    command.upgrade(config(connection), "head")


def unknown_revision(connection: Connection) -> str | None:
    """Return the revision of the tables if this program does not know it: a newer program made them."""
    revision = _current_revision(connection)
    return revision if revision and revision not in known_revisions() else None


def is_current(connection: Connection) -> bool:
    """Return whether all migrations of this program are applied."""
    return _current_revision(connection) == known_revisions()[-1]


def is_too_new(connection: Connection) -> bool:
    """Return whether the tables are too new for this program.

    The table `oldest_program` holds the oldest revision whose program may use the tables. A migration that only adds
    (expand) keeps that revision. A migration that removes something (contract) writes the first revision whose program
    did without the removed part. If this program does not know the stored revision, it is too old.
    """
    oldest = connection.execute(select(oldest_program.c.revision)).scalar()
    return oldest not in known_revisions()


def known_revisions() -> list[str]:
    """Return the revisions of this program, oldest first. Each file of a migration begins with its revision."""
    return sorted(file.name.partition("_")[0] for file in (FOLDER / "versions").glob("[0-9]*_*.py"))


def _current_revision(connection: Connection) -> str | None:
    """Return the revision of the tables; None for a database without tables."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    versions = table(VERSION_TABLE, column("version_num", Text()))
    return connection.execute(select(versions.c.version_num)).scalar()
