"""A bot with its own workspace and database for each test."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.store import SqlStore
from tests.kits.reused_database import ReusedDatabase
from tests.kits.slack_desk import SlackDesk, open_desk


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file with all tables, which are empty."""
    path = tmp_path_factory.mktemp("handlers") / "empty.db"

    async def migrate() -> None:
        database = Database(f"sqlite:///{path}")
        await database.migrate()
        await database.close()

    asyncio.run(migrate())
    return path


@pytest.fixture(scope="session")
def reused(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> ReusedDatabase:
    folder = tmp_path_factory.mktemp("desk")
    numbers = itertools.count()

    def fresh() -> str:
        path = folder / f"{next(numbers)}.db"
        shutil.copyfile(migrated, path)
        return f"sqlite:///{path}"

    return ReusedDatabase(fresh)


@pytest.fixture
async def store(reused: ReusedDatabase) -> AsyncIterator[SqlStore]:
    async with reused.emptied() as database:
        yield SqlStore(database)


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    async with open_desk(store) as desk:
        yield desk
