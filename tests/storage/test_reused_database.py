"""The database that many tests share is empty for each of them, whatever the one before left running."""

import asyncio
from pathlib import Path

from sqlalchemy import Connection, delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import outbox
from tests.kits.migrated import migrated_sqlite
from tests.kits.reused_database import ReusedDatabase
from tests.storage.conftest import FILLED, MakeDatabase
from tests.storage.reflected import read_rows, reflect_tables, write_rows
from tests.storage.things import NOW


async def note(database: Database, name: str) -> None:
    async with database.begin() as connection:
        statement = text("INSERT INTO cursors (name, position, moved_at) VALUES (:name, '', '2026-01-01')")
        await connection.execute(statement, {"name": name})


async def test_late_writer_does_not_reach_the_next_test(tmp_path: Path) -> None:
    files = iter(tmp_path / f"{n}.db" for n in range(2))
    reused = ReusedDatabase(lambda: migrated_sqlite(next(files)))
    for turn in range(3):
        async with reused.emptied() as database:
            await note(database, f"own {turn}")
            async with database.snapshot() as connection:
                names = (await connection.execute(text("SELECT name FROM cursors ORDER BY name"))).scalars().all()
            assert names == [f"own {turn}"]
        await note(database, "a task that ends late")  # opens the file again, and leaves it open


async def test_close_waits_for_a_reader(tmp_path: Path) -> None:
    database = Database(migrated_sqlite(tmp_path / "read.db"))
    opened, go_on = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with database.snapshot() as connection:
            opened.set()
            await go_on.wait()
            await connection.execute(text("SELECT 1"))

    reading = asyncio.create_task(read())
    await opened.wait()
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert reading.done(), "else its connection would be given back to a pool that nobody closes"
    await reading


async def test_database_of_next_test_is_as_new(make_migrated: MakeDatabase) -> None:
    def rows_found(connection: Connection) -> dict[str, int]:
        """Return the rows of each table, then write one into each that a test may write to."""
        tables = reflect_tables(connection)
        counts = {table.name: len(read_rows(connection, table)) for table in tables.sorted_tables}
        for name in FILLED:
            tables.remove(tables.tables[name])
        write_rows(connection, tables, 1)
        return counts

    async def number_given(connection: AsyncConnection) -> object:
        entry = {"topic": "t", "key": "k", "payload": {}, "added_at": NOW, "due_at": NOW, "attempts": 0}
        return (await connection.execute(insert(outbox).values(entry).returning(outbox.c.id))).scalar_one()

    for _ in range(2):
        database = Database(make_migrated())
        async with database.begin() as connection:
            assert await number_given(connection) == 1
            await connection.execute(delete(outbox))
            found = await connection.run_sync(rows_found)
        await database.close()
        assert {name for name, count in found.items() if count} == FILLED
