"""SQLite transactions without a thread switch for each statement.

A statement takes microseconds; handing it to a thread and back takes many times as long.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, CursorResult, Engine

from bot.domain.uncancelled import to_its_end

BEGIN = "BEGIN IMMEDIATE"
FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.05
"""Shortest and longest pause between two attempts to begin while another process writes, in seconds."""
WRITTEN_AT_ONCE = 1_000
"""Most rows of one statement that are written before others get a turn: 57,000 rows held everybody up for 0.8 s."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DirectConnection:
    """The part of `AsyncConnection` that storage uses, with statements that run on the caller's thread.

    Long reads need another kind of connection, because this one would block the event loop.
    """

    def __init__(self, connection: Connection) -> None:
        self.sync_connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> CursorResult[Any]:
        """Run a statement; of many rows, a few at a time. The result is that of the last ones."""
        if not isinstance(parameters, list):
            return self.sync_connection.execute(statement, parameters)
        done = 0
        while len(parameters) - done > WRITTEN_AT_ONCE:
            self.sync_connection.execute(statement, parameters[done : done + WRITTEN_AT_ONCE])
            done += WRITTEN_AT_ONCE
            await asyncio.sleep(0)
        return self.sync_connection.execute(statement, parameters[done:])

    async def run_sync(
        self, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        return work(self.sync_connection, *args, **kwargs)


class DirectWriter:
    """The connection over which one process writes a SQLite file, one transaction at a time.

    Only what blocks runs in a thread: opening the file, and a commit, which waits for the disk.

    Args:
        engine: Makes connections that send no BEGIN and wait for nobody.
        busy_seconds: Longest wait of a transaction for another process, in seconds.
    """

    def __init__(self, engine: Engine, busy_seconds: float) -> None:
        self._engine = engine
        self._busy_seconds = busy_seconds
        self._connection: Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Open the file, unless it is open. Raises what the engine raises."""
        if self._connection is None:
            await self._in_thread(self._connect)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[DirectConnection]:
        """Open a transaction that commits at the end of the block and rolls back on an exception.

        The caller calls `open` before, and never opens two transactions at once.
        """
        connection = self._connection
        if connection is None:
            raise RuntimeError("the file is not open")
        driver = _driver_of(connection)
        transaction = connection.begin()
        try:
            await self._begin(connection, driver)
            changes = driver.total_changes
            yield DirectConnection(connection)
            if driver.total_changes == changes:
                transaction.commit()  # there is nothing to wait for
            else:
                await self._in_thread(transaction.commit)
        except BaseException:
            self._roll_back(connection)
            raise

    async def close(self) -> None:
        """Close the file; a later `open` opens it again."""
        if self._connection is not None:
            await self._in_thread(self._disconnect)
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def _connect(self) -> None:
        self._connection = self._connection or self._engine.connect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._engine.dispose()

    async def _begin(self, connection: Connection, driver: sqlite3.Connection) -> None:
        """Wait for other processes without a thread, which a cancelled caller would have to wait for."""
        pause, deadline = FIRST_PAUSE, time.monotonic() + self._busy_seconds
        while True:
            try:
                driver.execute(BEGIN)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    break
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        connection.exec_driver_sql(BEGIN)  # once more, so that its error is SQLAlchemy's

    def _roll_back(self, connection: Connection) -> None:
        """Roll back, and give the connection up if that fails, so that it keeps no lock."""
        transaction = connection.get_transaction()
        try:
            if transaction is not None:
                transaction.rollback()
        except Exception:  # noqa: BLE001 - the caller raises what came first
            self._connection = None
            with suppress(Exception):
                connection.invalidate()
                connection.close()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Run blocking work to its end, even if the caller is cancelled.

        Two threads within one connection would crash the process, so the caller may touch the connection only then.
        """
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        await to_its_end(asyncio.get_running_loop().run_in_executor(self._thread, work))


def _driver_of(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise TypeError("the connection is none of SQLite")
    return driver
