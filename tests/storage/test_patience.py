"""What PostgreSQL is asked not to wait for, and how many connections a process takes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from storage import database as way
from storage.database import CONNECTIONS, SESSION, TCP_KEEPALIVE, Database, DatabaseUnreachable
from storage.locks import Lock, hold, unhurried
from storage.store import SqlStore
from tests.kits.postgres import make_database
from tests.storage.things import question


@pytest.fixture
async def url() -> str:
    url = make_database()
    database = Database(url)
    await database.migrate()
    await database.close()
    return url


@pytest.fixture
async def patient(url: str) -> AsyncIterator[Database]:
    """The same database, with the limits of use."""
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def hurried(
    request: pytest.FixtureRequest, url: str, patient: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A database with limits of a fraction of a second; where they are not named, each of them.

    A busy machine is past such limits before a test has come to what it is about: it names the one.
    """
    short = getattr(request, "param", dict.fromkeys(SESSION, "200ms"))
    monkeypatch.setattr(way, "SESSION", SESSION | short)
    database = Database(url)
    yield database
    await database.close()


def short(limit: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("hurried", [{limit: "200ms"}], indirect=True, ids=[limit])


async def test_each_connection_has_the_limits(url: str) -> None:
    database = Database(url)
    for begun in (database.begin, database.snapshot):
        async with begun() as connection:
            for name, value in SESSION.items():
                set_to = (await connection.execute(select(func.current_setting(name)))).scalar()
                assert set_to == value.replace("60s", "1min")
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            given = raw.info.get_parameters()
            assert {name: given[name] for name in TCP_KEEPALIVE} == {
                name: str(value) for name, value in TCP_KEEPALIVE.items()
            }
    await database.close()


@short("statement_timeout")
async def test_a_statement_that_takes_for_ever_is_ended(hurried: Database) -> None:
    with pytest.raises(DBAPIError, match="statement timeout"):
        async with hurried.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(20)"))
    await hurried.ping()


async def add_another(database: Database) -> None:
    async with SqlStore(database).transaction() as tx:
        assert await tx.questions.add(question())


@short("lock_timeout")
async def test_who_waits_for_a_lock_gives_up(hurried: Database, patient: Database) -> None:
    async with SqlStore(patient).transaction() as tx:
        await tx.questions.add(question())
        with pytest.raises(DBAPIError, match="lock timeout"):
            await add_another(hurried)


@short("idle_in_transaction_session_timeout")
async def test_who_sleeps_within_a_transaction_holds_nobody_up(hurried: Database) -> None:
    """A paused process: the server ends its session, and what it held is free."""

    async def sleep_within() -> None:
        async with SqlStore(hurried).transaction() as tx:
            await tx.questions.add(question())
            await asyncio.sleep(0.4)
            await add_another(hurried)
            await tx.questions.count()

    with pytest.raises(DBAPIError):
        await sleep_within()
    async with SqlStore(hurried).transaction() as tx:
        assert await tx.questions.count() == 1


async def test_a_migration_may_take_its_time(hurried: Database) -> None:
    async def wait() -> None:
        async with hurried.begin() as connection:
            await unhurried(connection)
            await hold(connection, Lock.MIGRATION)

    async with hurried.begin() as connection:
        await unhurried(connection)
        await hold(connection, Lock.MIGRATION)
        waiting = asyncio.create_task(wait())
        await connection.execute(text("SELECT pg_sleep(0.5)"))
        assert not waiting.done()
    await waiting


async def test_a_process_takes_so_many_connections_and_no_more(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "POOL_SECONDS", 1)
    database, full, go = Database(url), asyncio.Barrier(CONNECTIONS + 1), asyncio.Event()

    async def work() -> None:
        async with database.begin() as connection:
            await connection.execute(select(1))
            await full.wait()
            await go.wait()

    workers = [asyncio.create_task(work()) for _ in range(CONNECTIONS)]
    await full.wait()
    with pytest.raises(DatabaseUnreachable):
        await database.ping()
    go.set()
    await asyncio.gather(*workers)
    await asyncio.gather(*(database.ping() for _ in range(2 * CONNECTIONS)))
    await database.close()
