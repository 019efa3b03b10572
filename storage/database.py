"""The way to the database: its address, its transactions, its migrations."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.domain.faults import Fault, Problem, Unable
from storage.direct import BEGIN, direct
from storage.locks import Lock, hold, unhurried
from storage.migrations import current, outgrown, unknown, upgrade

log = logging.getLogger(__name__)

BUSY_SECONDS = 30
"""How long a SQLite transaction waits for another process's."""
CONNECT_SECONDS = 10
CONNECTIONS = 8
"""To PostgreSQL, of one process: as many transactions at once. Each takes milliseconds; who comes later waits.

docs/operate.md reckons with it: ten replicas fit into PostgreSQL's own limit of a hundred.
"""
POOL_SECONDS = 10
"""How long a transaction waits for one of them."""
SESSION = {
    # A question that nobody can answer in a minute is a mistake, and holds up others.
    "statement_timeout": "60s",
    # Locks are held for the milliseconds of a transaction: who waits longer stands behind somebody who hangs.
    "lock_timeout": "15s",
    # A process that was paused within a transaction must not keep what it locked.
    "idle_in_transaction_session_timeout": "30s",
}
TCP_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""Without these a server that vanished, with its machine or behind a firewall, is waited for for hours."""
WAL_TRIES, WAL_PAUSE = 50, 0.1
"""How often, and how many seconds apart, a new file is switched to its write-ahead log."""

_T = TypeVar("_T")

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class DatabaseUnreachable(Unable):
    """There is no connection to be had. Its problem names the database, without its password."""


class TablesUnusable(Unable):
    """The tables are newer than this program, or could not be brought up to its version."""


class Database:
    """One database, SQLite or PostgreSQL.

    Args:
        url: `sqlite:///file`, `sqlite+aiosqlite:///file`, `postgresql://…`, `postgres://…` or
            `postgresql+psycopg://…`. A SQLite file and its folder are made when they are first needed.

    Raises:
        ValueError: on any other address. The message does not repeat it, for it may hold a password.
    """

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        if self._url.get_backend_name() == "sqlite":
            self._engine = _sqlite(self._url, BEGIN, "PRAGMA foreign_keys = ON", async_creator_fn=direct)
            self._reading = _sqlite(self._url, "BEGIN", "PRAGMA query_only = ON")
            self._one_at_a_time: asyncio.Lock | None = asyncio.Lock()
            self._file_to_make = Path(self._url.database) if self._url.database else None
        else:
            self._engine = _postgresql(self._url)
            self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._one_at_a_time = None
            self._file_to_make = None
        self._writer: asyncio.Task[Any] | None = None
        self._unfinished: set[asyncio.Future[Any]] = set()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: commits at the end of the block, rolls back where it raises.

        On SQLite there is one at a time: tasks queue here in order, other processes at the file. So a transaction
        within a transaction would wait for itself.

        Raises:
            DatabaseUnreachable: there is no connection.
            RuntimeError: this task holds a transaction of this SQLite database already.
        """
        if self._one_at_a_time is None:
            async with self._connected(self._engine) as connection:
                yield connection
            return
        if self._writer is not None and self._writer is asyncio.current_task():
            raise RuntimeError("a transaction within a transaction would wait for itself")
        async with self._one_at_a_time:
            self._writer = asyncio.current_task()
            try:
                async with self._connected(self._engine) as connection:
                    yield connection
            finally:
                self._writer = None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """What was committed at one moment, to be read only: a write raises. It waits for no writer, and none for it.

        Raises:
            DatabaseUnreachable: there is no connection.
        """
        async with self._connected(self._reading) as connection:
            yield connection

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            if self._file_to_make:
                # Not left to the driver: its thread outlives a connection that failed, and then complains on stderr.
                await asyncio.to_thread(_make_file, self._file_to_make)
                self._file_to_make = None
            connection = await self._connect(engine)
        except (DBAPIError, PoolExhausted, OSError, sqlite3.Error) as error:
            what = Fault.DATABASE_UNREACHABLE if self._one_at_a_time is None else Fault.FILE_UNREACHABLE
            raise DatabaseUnreachable(self._problem(what, error=_cause(error))) from None
        try:
            async with connection.begin():
                yield connection
        finally:
            await self._to_its_end(connection.close())

    async def _connect(self, engine: AsyncEngine) -> AsyncConnection:
        connecting = asyncio.ensure_future(engine.connect())
        try:
            return await self._to_its_end(connecting)
        except asyncio.CancelledError:
            # Nobody will use it: it is closed when it is there.
            connecting.add_done_callback(lambda done: done.exception() or self._keep(done.result().close()))
            raise

    async def _to_its_end(self, doing: Awaitable[_T]) -> _T:
        """Wait for something that goes on where the waiting is cancelled: no connection may be left with its locks."""
        return await asyncio.shield(self._keep(doing))

    def _keep(self, doing: Awaitable[_T]) -> asyncio.Future[_T]:
        task = asyncio.ensure_future(doing)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return task

    async def migrate(self) -> None:
        """Bring the tables up to this program's version, in one transaction.

        Safe where several processes start at once: the first migrates, the others wait and find it done. Tables of a
        newer program are left as they are where they say that this one may still work with them.

        Raises:
            DatabaseUnreachable: there is no connection.
            TablesUnusable: the tables are too new for this program, or the database does not let it change them.
        """
        try:
            async with self.begin() as connection:
                await unhurried(connection)
                await hold(connection, Lock.MIGRATION)
                newer = await connection.run_sync(unknown)
                if newer is None:
                    await connection.run_sync(upgrade)
                elif await connection.run_sync(outgrown):
                    raise TablesUnusable(self._problem(Fault.TABLES_NEWER, revision=newer))
                else:
                    log.warning("the tables are of a newer version (%s) that this one may work beside", newer)
        except DBAPIError as error:
            raise TablesUnusable(self._problem(Fault.TABLES_REFUSED, error=_cause(error))) from None

    async def check(self) -> bool:
        """Whether the tables are those of this program; False where the next start makes or changes them.

        Raises:
            DatabaseUnreachable: there is no connection.
            TablesUnusable: the tables are too new for this program.
        """
        try:
            async with self.snapshot() as connection:
                newer = await connection.run_sync(unknown)
                if newer is None:
                    return await connection.run_sync(current)
                if await connection.run_sync(outgrown):
                    raise TablesUnusable(self._problem(Fault.TABLES_NEWER, revision=newer))
                return True
        except DBAPIError as error:
            raise TablesUnusable(self._problem(Fault.TABLES_REFUSED, error=_cause(error))) from None

    async def ping(self) -> None:
        """Raises DatabaseUnreachable, or what the database raises, where a transaction cannot be had."""
        async with self.begin() as connection:
            await connection.execute(select(1))

    async def close(self) -> None:
        """Wait for the transaction under way, then close all connections. Used again, it opens new ones."""
        if self._one_at_a_time:
            with suppress(TimeoutError):
                async with asyncio.timeout(BUSY_SECONDS), self._one_at_a_time:
                    pass
        while self._unfinished:
            await asyncio.wait(self._unfinished)
        for engine in (self._engine, self._reading):
            await engine.dispose()

    def _problem(self, what: Fault, **facts: str) -> Problem:
        return Problem(what=what, facts={"database": str(self), **facts})

    def __str__(self) -> str:
        return self._url.set(query={}).render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.drivername in _DRIVERS and parsed.database:
            return parsed.set(drivername=_DRIVERS[parsed.drivername])
    raise ValueError(
        "the database address must look like sqlite:///data/file.db or postgresql://user:password@host/name"
    )


def _make_file(path: Path) -> None:
    """Make a SQLite file and its folder where they are missing; raises OSError or sqlite3.Error where it cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        # With the write-ahead log, readers from outside (a backup, a person) do not stop the bot. The file remembers.
        for left in reversed(range(WAL_TRIES)):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                # Two that switch a new file at once would wait for each other, so SQLite refuses one of them at once.
                if not left:
                    raise
                time.sleep(WAL_PAUSE)
            else:
                return


def _sqlite(url: URL, begin: str, pragma: str, **how: Any) -> AsyncEngine:
    # Without an isolation level the driver sends no BEGIN of its own; `_begin` does.
    how |= {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_async_engine(url, hide_parameters=True, connect_args=how)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        # With the write-ahead log, NORMAL may lose the last commits when the power goes. A press that a person saw
        # confirmed must not be lost, so each commit is synced to the disk.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads first and then writes fails with "database is locked" where another
        # wrote in between, whatever the timeout; an immediate one waits at its start, then has the file for itself.
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,  # they hold what people asked, and an error's text goes to the log
        pool_pre_ping=True,
        pool_size=CONNECTIONS,
        max_overflow=0,  # a connection more is made anew each time, which costs more than waiting for one
        pool_timeout=POOL_SECONDS,
        # A pooler in transaction mode does not carry prepared statements from one transaction to the next.
        connect_args={"connect_timeout": CONNECT_SECONDS, "prepare_threshold": None, **TCP_KEEPALIVE},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # Not as a startup option: poolers refuse those.
        cursor = connection.cursor()
        for name, value in SESSION.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        cursor.close()
        connection.commit()

    return engine


def _cause(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().partition("\n")[0]
