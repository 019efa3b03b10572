"""Databases with all tables and no rows: copies of one that is migrated once in a process."""

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from storage.database import Database
from tests.kits.postgres import make_database


def migrated_sqlite(file: Path) -> str:
    """Make a SQLite file with empty tables and return its address."""
    shutil.copyfile(_sqlite(), file)
    return f"sqlite:///{file}"


def migrated_postgresql() -> str:
    """Make a PostgreSQL database with empty tables and return its address."""
    return make_database(template=_postgresql())


@cache
def _sqlite() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="migrated-"))
    atexit.register(shutil.rmtree, folder)
    _migrate(f"sqlite:///{folder}/empty.db")
    return folder / "empty.db"


@cache
def _postgresql() -> str:
    url = make_database()
    _migrate(url)
    return url


def _migrate(url: str) -> None:
    """Migrate in a thread, because the caller's may run an event loop."""

    async def migrate() -> None:
        database = Database(url)
        await database.migrate()
        await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate()).result()
