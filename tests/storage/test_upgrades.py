"""From every released revision to the newest, with data; and the programs of both at work beside each other."""

from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, DateTime, LargeBinary, MetaData, Table, create_engine, insert, select
from sqlalchemy.types import JSON, Boolean, Float, Integer

from bot.domain.question import Ending, Via
from storage.database import Database
from storage.migrations import config
from storage.store import SqlStore
from tests.storage.conftest import Fresh
from tests.storage.things import NOW

RELEASED = {"0001": "48bef63a1a9ea23b839726f52f785c2020e8d0728447574f35ffa7f68b8c2231"}
"""Every revision that a released program made, with the sha256 of its migration: what stands here never changes."""
LEASE = timedelta(minutes=2)


def reflected(connection: Connection) -> MetaData:
    """The tables as they are in the database, whatever the code says of them."""
    tables = MetaData()
    tables.reflect(connection)
    tables.remove(tables.tables["alembic_version"])
    return tables


def value(column: Any, n: int) -> object:
    """Something of the column's type; text is the same everywhere, so that what refers to a row finds it."""
    kinds: list[tuple[type, object]] = [
        (JSON, {"n": n}),
        (DateTime, NOW if str(column.type) != "DATETIME" else NOW.replace(tzinfo=None)),
        (Boolean, False),
        (Float, 0.5),
        (Integer, n),
        (LargeBinary, b"x"),
    ]
    return next((made for kind, made in kinds if isinstance(column.type, kind)), f"x{n}")


def write(connection: Connection, tables: MetaData, n: int) -> None:
    """A row in each table, every column of it, as the program of that revision names them."""
    for table in tables.sorted_tables:
        connection.execute(insert(table).values({column.name: value(column, n) for column in table.columns}))


def read(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


@pytest.fixture(params=RELEASED)
async def released(empty: Fresh, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Database, MetaData]]:
    """A database of that revision with a row in each of its tables, and those tables."""
    database = Database(empty())
    async with database.begin() as connection:
        await connection.run_sync(lambda c: command.upgrade(config(c), request.param))
        tables = await connection.run_sync(reflected)
        await connection.run_sync(write, tables, 1)
    yield database, tables
    await database.close()


async def test_an_upgrade_keeps_every_value_of_every_table(released: tuple[Database, MetaData]) -> None:
    database, tables = released
    async with database.begin() as connection:
        before = {t.name: await connection.run_sync(read, t) for t in tables.sorted_tables}
    await database.migrate()
    assert len(before) >= 17
    async with database.begin() as connection:
        for table in tables.sorted_tables:
            after = await connection.run_sync(read, table)
            assert after == before[table.name], table.name
            assert len(after) == 1


async def test_the_older_program_goes_on_writing_beside_the_newer_tables(released: tuple[Database, MetaData]) -> None:
    """A rolling upgrade: the first new replica migrates, the others are still of the old version."""
    database, tables = released
    await database.migrate()
    async with database.begin() as connection:
        await connection.run_sync(write, tables, 2)
        for table in tables.sorted_tables:
            assert len(await connection.run_sync(read, table)) == 2, table.name


async def test_the_newer_program_reads_what_the_older_one_wrote(released: tuple[Database, MetaData]) -> None:
    """What 0001's program wrote down, before and after the upgrade, is a question like any other."""
    database, tables = released
    await database.migrate()
    arrival = {
        "event_id": "Ev1",
        "kind": "asked",
        "via": "channel",
        "place": {"team": "T1", "channel": "C1", "ts": "1.1", "thread_ts": None},
        "asker": "U1",
        "text": "有給は何日前?",
        "language": "ja",
        "has_files": False,
        "outsider": False,
    }
    async with database.begin() as connection:
        await connection.execute(tables.tables["inbox"].update().values(arrival=arrival, ending=None))
        await connection.execute(tables.tables["questions"].update().values(via="dm"))
    async with SqlStore(database).transaction() as tx:
        item = await tx.inbox.claim("w", NOW, LEASE)
        assert item is not None
        assert (item.arrival.text, item.arrival.via, item.arrival.late) == ("有給は何日前?", Via.CHANNEL, False)
        assert await tx.inbox.finish(item, Ending.ANSWERED, None, NOW)
        question, verdict = await tx.questions.get("x1"), await tx.questions.verdict("x1")
    assert question is not None
    assert verdict is not None
    assert (question.late, question.via, verdict.provisional) == (False, Via.DM, False)


def test_a_released_migration_is_frozen_and_whoever_adds_one_releases_the_one_before() -> None:
    """A changed one would leave the databases behind that were made by it."""
    with create_engine("sqlite://").connect() as connection:
        _newest, *older = ScriptDirectory.from_config(config(connection)).walk_revisions()
    assert {one.revision: sha256(Path(one.path).read_bytes()).hexdigest() for one in older} == RELEASED
