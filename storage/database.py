"""The database: its address, its transactions and its migration."""

import asyncio
import logging
import math
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.domain.disk import is_disk_full, make_private_folder
from bot.domain.faults import Fault, Problem, Unable
from bot.domain.uncancelled import in_thread
from storage.direct import DirectWriter
from storage.locks import Lock, acquire_lock, allow_pauses, lift_timeouts
from storage.migrations import is_current, is_too_new, unknown_revision, upgrade

log = logging.getLogger(__name__)

BUSY_SECONDS = 30
"""Longest wait of a SQLite transaction for another process, in seconds."""
CONNECT_SECONDS = 10
"""Timeout for opening a PostgreSQL connection, in seconds."""
CONNECTIONS = 8
"""PostgreSQL connections per process, and so the limit of concurrent transactions.

Further transactions wait for a free connection; a transaction takes milliseconds. docs/operate.md relies on this
number: ten replicas stay below PostgreSQL's default limit of a hundred connections.
"""
PING_SECONDS = 0.25
"""Idle time from which a pooled connection is tried before its next transaction, in seconds: the server may be gone."""
_RETURNED_AT = "returned_at"
POOL_SECONDS = 10
"""Longest wait of a transaction for a free connection, in seconds."""
SESSION = {
    # A statement that runs for a minute is a mistake, and it blocks others.
    "statement_timeout": "60s",
    # A transaction holds its locks for milliseconds: a longer wait means that the holder hangs.
    "lock_timeout": "15s",
    # A process that was paused within a transaction must not keep its locks.
    "idle_in_transaction_session_timeout": "30s",
}
"""Timeouts that every PostgreSQL connection sets for its session."""
TCP_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""Keepalive settings of libpq: `tcp_user_timeout` in milliseconds, the idle time and the interval in seconds.

Without them, a connection waits for hours for a server that vanished with its machine or behind a firewall.
"""
CLOSE_SECONDS = 5
"""Longest wait of `close` for transactions that are still open, in seconds."""
WAL_TRIES, WAL_PAUSE = 50, 0.1
"""Attempts to switch a new file to its write-ahead log, and the pause between two attempts in seconds."""

SCRUBBED = 1
"""SQLite's `user_version` of a file without texts that were deleted before `secure_delete` was on."""
MOST_REWRITTEN = 2**30
"""Largest SQLite file that is rewritten while the bot runs, in bytes: other writers wait meanwhile."""
LOG_WAIT = 100
"""Longest wait for readers of the write-ahead log before it is emptied, in milliseconds."""

OWNER_ONLY, RIGHTS_OF_OTHERS = 0o600, 0o077
"""The rights of a SQLite file, and those that nobody else has on it."""

_T = TypeVar("_T")

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class DatabaseUnreachable(Unable):
    """A failure to open a connection; its problem names the database without the password."""


class TablesUnusable(Unable):
    """Tables that are too new for this program, or that could not be migrated to its version."""


class Database:
    """One database, SQLite or PostgreSQL.

    Args:
        url: `sqlite:///file`, `sqlite+aiosqlite:///file`, `postgresql://…`, `postgres://…` or
            `postgresql+psycopg://…`. A SQLite file and its folder are created on first use.

    Raises:
        ValueError: The address has another form. The message omits the address, which may contain a password.
    """

    def __init__(self, url: str) -> None:
        self.on_disk_full: Callable[[], None] = lambda: None
        """Called whenever a transaction fails because the disk is full."""
        self._url = _parse_url(url)
        if self._url.get_backend_name() == "sqlite":
            self._engine = self._read_engine = _sqlite_reader(self._url)
            self._writer: DirectWriter | None = DirectWriter(_sqlite_writer(self._url), BUSY_SECONDS)
            self._write_lock: asyncio.Lock | None = asyncio.Lock()
            self._file_to_prepare = Path(self._url.database) if self._url.database else None
        else:
            self._engine = _postgresql_engine(self._url)
            self._read_engine = self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._writer = self._write_lock = None
            self._file_to_prepare = None
        self._write_lock_owner: asyncio.Task[Any] | None = None
        self._pending: set[asyncio.Future[Any]] = set()
        self._transactions: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits at the end of the block and rolls back on an exception.

        SQLite has one writing transaction at a time: tasks queue here in order, other processes queue at the file. A
        transaction within a transaction would therefore wait for itself.

        Raises:
            DatabaseUnreachable: There is no connection.
            RuntimeError: This task already holds a transaction of this SQLite database.
        """
        if self._write_lock is None or self._writer is None:
            async with self._open_transaction(self._engine) as connection:
                yield connection
            return
        if self._write_lock_owner is not None and self._write_lock_owner is asyncio.current_task():
            raise RuntimeError("a transaction within a transaction would wait for itself")
        async with self._write_lock:
            self._write_lock_owner = asyncio.current_task()
            try:
                async with self._open_direct(self._writer) as connection:
                    yield connection
            finally:
                self._write_lock_owner = None

    @asynccontextmanager
    async def snapshot(self, *, patient: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a read-only view of the data committed at one moment; it waits for no writer and blocks none.

        Args:
            patient: As in `ports.Store.snapshot`.

        Raises:
            DatabaseUnreachable: There is no connection.
            sqlalchemy.exc.DBAPIError: The block writes.
        """
        async with self._open_transaction(self._read_engine) as connection:
            if patient:
                await allow_pauses(connection)
            yield connection

    @asynccontextmanager
    async def _open_direct(self, writer: DirectWriter) -> AsyncIterator[AsyncConnection]:
        with self._connecting():
            await self._prepare_file()
            await writer.open()
        with self._noticing_full_disk():
            async with writer.transaction() as connection:
                yield cast("AsyncConnection", connection)

    @asynccontextmanager
    async def _open_transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with self._connecting():
            await self._prepare_file()
            connection = await self._connect(engine)
        ended = asyncio.get_running_loop().create_future()
        self._transactions.add(ended)
        try:
            with self._noticing_full_disk():
                async with connection.begin():
                    yield connection
        finally:
            try:
                await self._finish(connection.close())
            finally:
                self._transactions.discard(ended)
                ended.cancel()

    async def _prepare_file(self) -> None:
        if self._file_to_prepare:
            # Not left to the driver: its thread would outlive a failed connection and then write to stderr.
            await self._finish(asyncio.to_thread(_make_file, self._file_to_prepare))
            self._file_to_prepare = None

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolExhausted, OSError, sqlite3.Error) as error:
            if is_disk_full(error):
                self.on_disk_full()
                raise DatabaseUnreachable(Problem(what=Fault.DISK_FULL, where=str(self))) from None
            what = Fault.DATABASE_UNREACHABLE if self._write_lock is None else Fault.FILE_UNREACHABLE
            raise DatabaseUnreachable(self._problem(what, error=_cause(error))) from None

    @contextmanager
    def _noticing_full_disk(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if is_disk_full(error):
                self.on_disk_full()
            raise

    async def _connect(self, engine: AsyncEngine) -> AsyncConnection:
        connecting = asyncio.ensure_future(engine.connect())
        try:
            return await self._finish(connecting)
        except asyncio.CancelledError:
            # The caller is gone: close the connection as soon as it is open.
            connecting.add_done_callback(self._close_unwanted)
            raise

    def _close_unwanted(self, connected: asyncio.Future[AsyncConnection]) -> None:
        if not connected.cancelled() and connected.exception() is None:
            self._track(connected.result().close())

    async def _finish(self, operation: Awaitable[_T]) -> _T:
        """Wait for an operation that goes on if the caller is cancelled, so that no connection keeps its locks."""
        return await asyncio.shield(self._track(operation))

    def _track(self, operation: Awaitable[_T]) -> asyncio.Future[_T]:
        """Start an operation that `close` waits for."""
        task = asyncio.ensure_future(operation)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return task

    async def migrate(self) -> None:
        """Migrate the tables to this program's version, in one transaction.

        Several processes may start at once: the first one migrates, the others wait and find the work done. Tables of a
        newer program stay as they are if they allow this program.

        Raises:
            DatabaseUnreachable: There is no connection.
            TablesUnusable: The tables are too new for this program, or the database refused a change.
        """
        try:
            async with self.begin() as connection:
                await lift_timeouts(connection)
                await acquire_lock(connection, Lock.MIGRATION)
                newer = await connection.run_sync(unknown_revision)
                if newer is None:
                    await connection.run_sync(upgrade)
                elif await connection.run_sync(is_too_new):
                    raise TablesUnusable(self._problem(Fault.TABLES_NEWER, revision=newer))
                else:
                    log.warning("the tables have a newer version (%s), which this program may still use", newer)
        except DBAPIError as error:
            raise TablesUnusable(self._problem(Fault.TABLES_REFUSED, error=_cause(error))) from None

    async def check(self) -> bool:
        """Return whether this program can use the tables as they are; False if the next start creates or migrates them.

        Raises:
            DatabaseUnreachable: There is no connection.
            TablesUnusable: The tables are too new for this program.
        """
        try:
            async with self.snapshot() as connection:
                newer = await connection.run_sync(unknown_revision)
                if newer is None:
                    return await connection.run_sync(is_current)
                if await connection.run_sync(is_too_new):
                    raise TablesUnusable(self._problem(Fault.TABLES_NEWER, revision=newer))
                return True
        except DBAPIError as error:
            raise TablesUnusable(self._problem(Fault.TABLES_REFUSED, error=_cause(error))) from None

    async def ping(self) -> None:
        """Run a trivial query in a transaction.

        Raises:
            DatabaseUnreachable: There is no connection.
            sqlalchemy.exc.DBAPIError: The database did not run the query.
        """
        async with self.begin() as connection:
            await connection.execute(select(1))

    async def scrub(self) -> bool:
        """Remove what was deleted from SQLite's files: it stays in the write-ahead log until that is emptied.

        The first call also rewrites the whole file, because earlier versions left deleted texts in it.

        Returns:
            False if another connection kept the log in use; call again later.
        """
        if self._write_lock is None or not self._url.database or self._url.database == ":memory:":
            return True
        async with self._write_lock:
            return await in_thread(_scrub, Path(self._url.database))

    async def close(self) -> None:
        """Close all connections; a later use opens new ones.

        Before that, wait for pending operations, at most `CLOSE_SECONDS` for transactions that read, and at most
        `BUSY_SECONDS` for the running SQLite transaction.
        """
        if self._write_lock and self._writer:
            with suppress(TimeoutError):
                async with asyncio.timeout(BUSY_SECONDS), self._write_lock:
                    await self._writer.close()
        # A pool that is given up does not close what is given back to it later.
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while waiting := {*self._transactions, *self._pending}:
                    await asyncio.wait(waiting)
        while self._pending:
            await asyncio.wait(self._pending)
        for engine in (self._engine, self._read_engine):
            await engine.dispose()

    @property
    def is_plain(self) -> bool:
        """Whether the connection to another machine may be unencrypted: libpq falls back to that by default."""
        if self._url.get_backend_name() == "sqlite" or is_loopback(self._url.host or ""):
            return False
        mode = self._url.query.get("sslmode", "prefer")
        return mode not in {"require", "verify-ca", "verify-full"} and not str(self._url.host).startswith("/")

    def _problem(self, what: Fault, **facts: str) -> Problem:
        return Problem(what=what, facts={"database": str(self), **facts})

    def __str__(self) -> str:
        return self._url.set(query={}).render_as_string(hide_password=True)


def _parse_url(url: str) -> URL:
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.drivername in _DRIVERS and parsed.database:
            return parsed.set(drivername=_DRIVERS[parsed.drivername])
    raise ValueError(
        "the database address must look like sqlite:///data/file.db or postgresql://user:password@host/name"
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine; an empty one is a local socket."""
    if host in {"", "localhost"}:
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def _make_file(path: Path) -> None:
    """Create a SQLite file and its folder if they are missing, and switch the file to its write-ahead log.

    Only the user who runs the program may read them. SQLite gives the files beside it the rights of the file.

    Raises:
        OSError: The folder cannot be created.
        sqlite3.Error: The file cannot be opened or switched.
    """
    make_private_folder(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY))
    for file in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
        with suppress(OSError):  # another user's file, or none
            if file.stat().st_mode & RIGHTS_OF_OTHERS:
                file.chmod(OWNER_ONLY)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        # With the write-ahead log, outside readers (a backup, a person) do not block the bot. The file keeps the mode.
        for retries_left in reversed(range(WAL_TRIES)):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                # Two processes that switch a new file together would deadlock, so SQLite refuses one immediately.
                if not retries_left:
                    raise
                time.sleep(WAL_PAUSE)
            else:
                return


def _scrub(path: Path) -> bool:
    """Rewrite a SQLite file once, and empty its write-ahead log. Returns False if a reader still needs the log."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        if connection.execute("PRAGMA user_version").fetchone()[0] < SCRUBBED:
            if path.stat().st_size > MOST_REWRITTEN:
                log.warning("%s is too large to be rewritten while the bot runs: see docs/forgetting.md", path.name)
            else:
                connection.execute("VACUUM")
            connection.execute(f"PRAGMA user_version = {SCRUBBED}")
        # While it waits for a reader, nobody can write, and a reader may take minutes. The caller tries again.
        connection.execute(f"PRAGMA busy_timeout = {LOG_WAIT}")
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _sqlite_writer(url: URL) -> Engine:
    """Return the engine of the connection that writes. It sends no BEGIN, and waits for no other process."""
    engine = create_engine(
        url.set(drivername="sqlite"), hide_parameters=True, connect_args=_sqlite_arguments(), poolclass=StaticPool
    )
    # The wait for other processes is `DirectWriter`'s, not the driver's, which would block the event loop.
    _configure(engine, "PRAGMA foreign_keys = ON", "PRAGMA busy_timeout = 0")
    return engine


def _sqlite_reader(url: URL) -> AsyncEngine:
    """Return the engine of connections that read in threads."""
    engine = create_async_engine(url, hide_parameters=True, connect_args=_sqlite_arguments())
    _configure(engine.sync_engine, "PRAGMA query_only = ON")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _sqlite_arguments() -> dict[str, Any]:
    # Without an isolation level the driver sends no BEGIN of its own.
    #
    # A deferred transaction that reads and then writes fails with "database is locked" if another one wrote in between,
    # whatever the timeout. An immediate transaction waits at its start, then has the file for itself.
    return {"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False}


def _configure(engine: Engine, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        # With the write-ahead log, NORMAL may lose the last commits in a power failure. A press that was confirmed to
        # a person must not be lost, so each commit is synced to the disk.
        # Deleted content is overwritten with zeros, so that it does not stay in the file.
        for pragma in ("PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON", *pragmas):
            cursor.execute(pragma)
        cursor.close()


def _postgresql_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,  # parameters contain people's questions, and error texts are logged
        pool_size=CONNECTIONS,
        max_overflow=0,  # opening an extra connection each time costs more than waiting for a pooled one
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,  # in turns, each connection would be idle long enough to be tried
        # A pooler in transaction mode does not keep prepared statements between transactions.
        connect_args={"connect_timeout": CONNECT_SECONDS, "prepare_threshold": None, **TCP_KEEPALIVE},
    )

    @event.listens_for(engine.sync_engine, "checkin")
    def _returned(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_RETURNED_AT] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _ping(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        # Not before every transaction, as `pool_pre_ping` does: that is a fifth of all statements of a question.
        if time.monotonic() - record.info.get(_RETURNED_AT, math.inf) < PING_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool opens another connection

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # Not startup options: poolers refuse those.
        cursor = connection.cursor()
        for name, value in SESSION.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        cursor.close()
        connection.commit()

    return engine


def _cause(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().partition("\n")[0]
