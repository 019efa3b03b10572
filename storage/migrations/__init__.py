"""Alembic's migrations, found beside this file wherever the process was started."""

from pathlib import Path

from alembic import command
from alembic.config import Config
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
