"""A bot with its own workspace and database for each test."""

import itertools
from collections.abc import AsyncIterator

import pytest

from storage.store import SqlStore
from tests.kits.migrated import migrated_sqlite
from tests.kits.reused_database import ReusedDatabase
from tests.kits.slack_desk import SlackDesk, open_desk


@pytest.fixture(scope="session")
def reused(tmp_path_factory: pytest.TempPathFactory) -> ReusedDatabase:
    folder = tmp_path_factory.mktemp("desk")
    numbers = itertools.count()
    return ReusedDatabase(lambda: migrated_sqlite(folder / f"{next(numbers)}.db"))


@pytest.fixture
async def store(reused: ReusedDatabase) -> AsyncIterator[SqlStore]:
    async with reused.emptied() as database:
        yield SqlStore(database)


@pytest.fixture
async def desk(store: SqlStore) -> AsyncIterator[SlackDesk]:
    async with open_desk(store) as desk:
        yield desk
