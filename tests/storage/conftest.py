"""Fixtures that run every test of the store on SQLite and on PostgreSQL."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from bot.ports import Store
from storage.database import Database
from storage.store import SqlStore
from storage.tables import metadata
from tests.kits.postgres import make_database

MakeDatabase = Callable[[], str]
CopyDatabase = Callable[[str], str]
FILLED = {"oldest_program"}
"""The table in which a migration writes a row."""
DELETES = "".join(f"DELETE FROM {table.name};" for table in metadata.sorted_tables if table.name not in FILLED)  # noqa: S608 - our tables
EMPTY = f"""
DO $$
BEGIN
    SET LOCAL session_replication_role = replica;
    {DELETES}
    PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence;
END $$
"""
"""Empties all tables without their triggers, and lets numbers begin anew. TRUNCATE takes four times as long: it makes
new files for each table and each index."""


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def make_empty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeDatabase:
    """Return a factory of addresses; each call gives a new database without tables."""
    if request.param == "postgresql":
        return make_database
    folder = tmp_path_factory.mktemp("sqlite")
    numbers = itertools.count()
    return lambda: f"sqlite:///{folder}/{next(numbers)}.db"


@pytest.fixture(scope="session")
def copy_database(make_empty: MakeDatabase) -> CopyDatabase:
    """Return a function that copies the database of an address, which nobody is connected to."""
    if make_empty is make_database:
        return make_database

    def copy(url: str) -> str:
        copied = make_empty()
        shutil.copyfile(url.removeprefix("sqlite:///"), copied.removeprefix("sqlite:///"))
        return copied

    return copy


@pytest.fixture(scope="session")
def make_migrated(make_empty: MakeDatabase, copy_database: CopyDatabase) -> MakeDatabase:
    """Return a factory of addresses; each call gives a database with empty tables.

    On PostgreSQL, each call empties the same database.
    """
    migrated = make_empty()
    asyncio.run(_migrate(migrated))

    def empty() -> str:
        with psycopg.connect(migrated) as connection:
            connection.execute(EMPTY.encode())
        return migrated

    return empty if migrated.startswith("postgres") else lambda: copy_database(migrated)


@pytest.fixture
def url(make_migrated: MakeDatabase) -> str:
    return make_migrated()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return SqlStore(database)


async def _migrate(url: str) -> None:
    database = Database(url)
    await database.migrate()
    await database.close()
