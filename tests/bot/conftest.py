"""Fixtures for tests of the acts: a real store on SQLite, and fakes of the outside."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from sqlalchemy import Engine, event

from bot.releases.releasing import Releasing
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, FakeTrainer
from tests.kits.migrated import migrated_sqlite
from tests.kits.reused_database import ReusedDatabase

Fresh = Callable[[], str]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Return a function that creates an empty, migrated database and returns its URL."""
    folder = tmp_path_factory.mktemp("acts")
    numbers = itertools.count()
    return lambda: migrated_sqlite(folder / f"{next(numbers)}.db")


@pytest.fixture(scope="session")
def reused(fresh: Fresh) -> ReusedDatabase:
    return ReusedDatabase(fresh)


@pytest.fixture
async def database(reused: ReusedDatabase) -> AsyncIterator[Database]:
    """A database without rows. Its engine is reused from test to test, for it keeps compiled statements."""
    async with reused.emptied() as database:
        yield database


@pytest.fixture
async def store(database: Database, clock: StepClock) -> SqlStore:
    """Return a store in which the embedded model serves."""
    store = SqlStore(database)
    await Releasing(store, clock).ensure(PROMPT, BASE)
    return store


@pytest.fixture
def begun() -> Iterator[list[None]]:
    """Count transactions."""
    counted = list[None]()
    event.listen(Engine, "begin", note := lambda _connection: counted.append(None))
    yield counted
    event.remove(Engine, "begin", note)


@pytest.fixture
def shelf(database: Database) -> DatabaseShelf:
    return DatabaseShelf(database)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def model() -> RuleModel:
    return RuleModel({"有給": "labor", "PC": "it"})


@pytest.fixture
def trainer() -> FakeTrainer:
    return FakeTrainer()


@pytest.fixture
def board() -> FakeAnnouncer:
    return FakeAnnouncer()
