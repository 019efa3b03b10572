"""SQLite without a detour: a statement takes microseconds, and handing it to a thread and back many times as long."""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from aiosqlite import Connection

BEGIN = "BEGIN IMMEDIATE"
ROWS = 64
"""That the driver reads at once where rows are iterated over."""


class Direct(Connection):
    """Runs statements where they are called. Only what waits goes to the driver's thread.

    That is the beginning of a transaction, which waits for other processes, and its end, which waits for the disk. For
    long readings use another connection: this one would keep the event loop waiting.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._handed = list[None]()

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        waits = fn == self._conn.commit or args[:1] == (BEGIN,)
        if self._running and not waits and not self._handed:
            return fn(*args, **kwargs)

        def run() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                self._handed.pop()

        # Whoever is cancelled waits no longer, but the thread is still at it. What comes next, a rollback or the
        # closing, stands in line behind it: of two threads within one connection, one tears the process down.
        self._handed.append(None)
        return await super()._execute(run)  # type: ignore[no-untyped-call]


def direct(*args: Any, **kwargs: Any) -> Direct:
    """As `aiosqlite.connect`, for SQLAlchemy (`async_creator_fn`)."""
    connection = Direct(partial(sqlite3.connect, *args, **kwargs), ROWS)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does with those that it makes itself
    return connection
