"""A SQLite connection without a thread switch for each statement.

A statement takes microseconds; handing it to a thread and back takes many times as long.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from aiosqlite import Connection

BEGIN = "BEGIN IMMEDIATE"
ROWS_PER_FETCH = 64
"""Rows that the driver fetches at once while a result is iterated over."""


class DirectConnection(Connection):
    """An aiosqlite connection that runs statements on the caller's thread.

    Only blocking calls go to the driver's thread: BEGIN waits for other processes, COMMIT for the disk. Long reads need
    another kind of connection, because this one would block the event loop.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._calls_in_thread = list[None]()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        blocks = fn == self._conn.commit or args[:1] == (BEGIN,)
        if self._running and not blocks and not self._calls_in_thread:
            return fn(*args, **kwargs)

        def run() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._calls_in_thread.pop()

        # A cancelled caller leaves while the thread still runs. The next call (rollback or close) must queue behind
        # it, because two threads within one connection crash the process.
        self._calls_in_thread.append(None)
        return await super()._execute(run)  # type: ignore[no-untyped-call]


def connect_direct(*args: Any, **kwargs: Any) -> DirectConnection:
    """Connect as `aiosqlite.connect` does, for SQLAlchemy's `async_creator_fn`."""
    connection = DirectConnection(partial(sqlite3.connect, *args, **kwargs), ROWS_PER_FETCH)
    connection._thread.daemon = True  # noqa: SLF001 - SQLAlchemy does the same for its own connections
    return connection
