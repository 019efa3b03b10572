"""Every test of the store runs on both databases: what holds on one holds on the other."""

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

Fresh = Callable[[], str]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Addresses of databases without any table."""
    if request.param == "postgresql":
        return make_database
    folder = tmp_path_factory.mktemp("sqlite")
    numbers = itertools.count()
    return lambda: f"sqlite:///{folder}/{next(numbers)}.db"


@pytest.fixture(scope="session")
def fresh(empty: Fresh) -> Fresh:
    """Addresses of databases with all tables and nothing in them; on PostgreSQL it is one, emptied each time."""
    migrated = empty()
    asyncio.run(_migrate(migrated))

    def emptied() -> str:
        with psycopg.connect(migrated, autocommit=True) as connection:
            kept = {"oldest_program"}  # what the migrations wrote
            connection.execute(f"TRUNCATE {', '.join(metadata.tables.keys() - kept)} RESTART IDENTITY".encode())
        return migrated

    def copied() -> str:
        url = empty()
        shutil.copyfile(migrated.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        return url

    return emptied if migrated.startswith("postgres") else copied


@pytest.fixture
def url(fresh: Fresh) -> str:
    return fresh()


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
