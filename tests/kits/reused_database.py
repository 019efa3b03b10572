"""One SQLite database for many tests: emptied between them, with an engine that keeps its compiled statements."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from storage.database import Database


class ReusedDatabase:
    """A database whose file is overwritten with an empty one before each use.

    Args:
        fresh: Returns the address of a database with all tables and no rows, each time another one.
    """

    def __init__(self, fresh: Callable[[], str]) -> None:
        self._empty, url = (Path(fresh().removeprefix("sqlite:///")) for _ in range(2))
        self._file = url
        self._database = Database(f"sqlite:///{self._file}")

    @asynccontextmanager
    async def emptied(self) -> AsyncIterator[Database]:
        """Yield the database without rows; close its connections at the end."""
        self._database._write_lock = asyncio.Lock()  # locks belong to an event loop, and each test has its own
        self._database._pending.clear()
        self._database._transactions.clear()
        await self._database.close()  # a task of the last test may have opened it again
        for suffix in ("-wal", "-shm"):
            self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)
        copy = self._file.with_suffix(".copy")
        shutil.copyfile(self._empty, copy)
        copy.replace(self._file)  # a new file: an open one is not written to
        try:
            yield self._database
        finally:
            await self._database.close()
