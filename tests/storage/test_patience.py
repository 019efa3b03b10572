"""PostgreSQL's timeouts, and the number of connections of a process."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from storage import database as database_module
from storage.database import CONNECTIONS, SESSION, TCP_KEEPALIVE, Database, DatabaseUnreachable
from storage.locks import Lock, acquire_lock, lift_timeouts
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
async def default_limits(url: str) -> AsyncIterator[Database]:
    """Yield the database with the timeouts of normal operation."""
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def short_limits(
    request: pytest.FixtureRequest, url: str, default_limits: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """Yield the database with timeouts of 200 ms: those given by `shorten`, else all of them.

    A busy machine exceeds such timeouts before a test reaches its point, so most tests shorten only one.
    """
    timeouts = getattr(request, "param", dict.fromkeys(SESSION, "200ms"))
    monkeypatch.setattr(database_module, "SESSION", SESSION | timeouts)
    database = Database(url)
    yield database
    await database.close()


def shorten(timeout: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("short_limits", [{timeout: "200ms"}], indirect=True, ids=[timeout])


async def test_each_connection_has_the_limits(url: str) -> None:
    database = Database(url)
    for open_connection in (database.begin, database.snapshot):
        async with open_connection() as connection:
            for name, value in SESSION.items():
                setting = (await connection.execute(select(func.current_setting(name)))).scalar()
                assert setting == value.replace("60s", "1min")
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            parameters = raw.info.get_parameters()
            assert {name: parameters[name] for name in TCP_KEEPALIVE} == {
                name: str(value) for name, value in TCP_KEEPALIVE.items()
            }
    await database.close()


@shorten("statement_timeout")
async def test_endless_statement_is_aborted(short_limits: Database) -> None:
    with pytest.raises(DBAPIError, match="statement timeout"):
        async with short_limits.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(20)"))
    await short_limits.ping()


async def add_question(database: Database) -> None:
    async with SqlStore(database).transaction() as tx:
        assert await tx.questions.add(question())


@shorten("lock_timeout")
async def test_long_wait_for_a_lock_is_aborted(short_limits: Database, default_limits: Database) -> None:
    async with SqlStore(default_limits).transaction() as tx:
        await tx.questions.add(question())
        with pytest.raises(DBAPIError, match="lock timeout"):
            await add_question(short_limits)


@shorten("idle_in_transaction_session_timeout")
async def test_idle_transaction_is_ended_and_releases_its_locks(short_limits: Database) -> None:
    """Simulate a paused process: the server ends its session and releases its locks."""

    async def sleep_within() -> None:
        async with SqlStore(short_limits).transaction() as tx:
            await tx.questions.add(question())
            await asyncio.sleep(0.4)
            await add_question(short_limits)
            await tx.questions.count()

    with pytest.raises(DBAPIError):
        await sleep_within()
    async with SqlStore(short_limits).transaction() as tx:
        assert await tx.questions.count() == 1


@shorten("idle_in_transaction_session_timeout")
async def test_patient_snapshot_survives_a_long_wait(short_limits: Database) -> None:
    async with SqlStore(short_limits).snapshot(patient=True) as tx:
        await asyncio.sleep(0.4)
        assert await tx.questions.count() == 0


async def test_migration_has_no_timeouts(short_limits: Database) -> None:
    async def wait() -> None:
        async with short_limits.begin() as connection:
            await lift_timeouts(connection)
            await acquire_lock(connection, Lock.MIGRATION)

    async with short_limits.begin() as connection:
        await lift_timeouts(connection)
        await acquire_lock(connection, Lock.MIGRATION)
        waiting = asyncio.create_task(wait())
        await connection.execute(text("SELECT pg_sleep(0.5)"))
        assert not waiting.done()
    await waiting


async def test_process_opens_no_more_than_its_connections(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "POOL_SECONDS", 1)
    database, all_open, may_end = Database(url), asyncio.Barrier(CONNECTIONS + 1), asyncio.Event()

    async def work() -> None:
        async with database.begin() as connection:
            await connection.execute(select(1))
            await all_open.wait()
            await may_end.wait()

    workers = [asyncio.create_task(work()) for _ in range(CONNECTIONS)]
    await all_open.wait()
    with pytest.raises(DatabaseUnreachable):
        await database.ping()
    may_end.set()
    await asyncio.gather(*workers)
    await asyncio.gather(*(database.ping() for _ in range(2 * CONNECTIONS)))
    await database.close()


async def test_connection_that_the_server_closed_is_replaced(
    url: str, default_limits: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PING_SECONDS", 0)
    await default_limits.ping()
    other = Database(url)
    async with other.begin() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        await connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))
    await other.close()
    await default_limits.ping()
