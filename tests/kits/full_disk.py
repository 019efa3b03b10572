"""A database whose disk is full, as far as its program can tell."""

import itertools

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$ LANGUAGE plpgsql
"""


async def fill_disk(database: Database) -> None:
    """Let the database refuse new data: SQLite may not grow any more, and PostgreSQL refuses arrivals."""
    if str(database).startswith("postgresql"):
        async with database.begin() as connection:
            await connection.execute(text(REFUSE))
            trigger = "CREATE TRIGGER full_disk BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION refuse()"
            await connection.execute(text(trigger))
        return
    insert = text("INSERT INTO files (name, sha256, data, updated_at) VALUES (:name, '', :data, '2026-11-22')")
    async with database.begin() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    async def insert_until_full(size: int) -> None:
        for n in itertools.count():
            async with database.begin() as connection:
                await connection.execute(insert, {"name": f"{size}.{n}", "data": b"x" * size})

    for size in (100_000, 1_000, 10):
        with pytest.raises(DBAPIError, match="full"):
            await insert_until_full(size)


async def make_room(database: Database) -> None:
    """End what `fill_disk` did."""
    if str(database).startswith("postgresql"):
        statement = "DROP FUNCTION refuse CASCADE"
    else:
        statement = "PRAGMA max_page_count = 1000000"
    async with database.begin() as connection:
        await connection.execute(text(statement))
