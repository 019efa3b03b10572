"""From every released revision to the newest, with data; and the programs of both at work beside each other."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, DateTime, LargeBinary, MetaData, Table, create_engine, insert, select, update
from sqlalchemy.types import JSON, Boolean, Float, Integer

from bot.domain.question import Ending, Via
from bot.ports import Store
from storage.database import Database
from storage.migrations import config
from storage.store import SqlStore
from storage.tables import inbox, metadata
from tests.storage.conftest import Fresh
from tests.storage.things import LEASE, NOW, PROMPT, arrival, finetune, manifest

RELEASED = {"0001": "48bef63a1a9ea23b839726f52f785c2020e8d0728447574f35ffa7f68b8c2231"}
"""Every revision that a released program made, with the sha256 of its migration: what stands here never changes."""
KNOWN_AT_0001 = {"event_id", "kind", "via", "place", "asker", "text", "language", "has_files", "outsider"}
"""What the first program reads of an arrival."""


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
    asked = {
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
        await connection.execute(tables.tables["inbox"].update().values(arrival=asked, ending=None))
        await connection.execute(tables.tables["questions"].update().values(via="dm"))
    async with SqlStore(database).transaction() as tx:
        item = await tx.inbox.claim("w", NOW, LEASE)
        assert item is not None
        assert (item.arrival.text, item.arrival.via, item.arrival.late) == ("有給は何日前?", Via.CHANNEL, False)
        assert await tx.inbox.finish(item, Ending.ANSWERED, None, NOW)
        question, verdict = await tx.questions.get("x1"), await tx.questions.verdict("x1")
        assert await tx.finetunes.trained_rows("x1") == {"x1": None}
    assert question is not None
    assert verdict is not None
    assert (question.late, question.via, verdict.provisional) == (False, Via.DM, False)


KNOWN_AT_0001 = {"event_id", "kind", "via", "place", "asker", "text", "language", "has_files", "outsider"}


async def test_a_program_of_0001_can_read_the_questions_that_this_one_writes_down(
    store: Store, database: Database
) -> None:
    """It refuses fields that it does not know. What was found late, and an edit, is for newer programs."""
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(1), NOW)
        await tx.inbox.add(arrival(2).model_copy(update={"late": True}), NOW)
    async with database.begin() as connection:
        usual, late = (await connection.execute(select(inbox.c.arrival).order_by(inbox.c.id))).scalars()
    assert set(usual) <= KNOWN_AT_0001
    assert set(late) - KNOWN_AT_0001 == {"late"}


def of_tomorrow(document: dict[str, Any]) -> dict[str, Any]:
    """A document as a newer program may write it."""
    more = {"of_tomorrow": 1}
    inner: dict[str, Any] = {name: part | more for name, part in document.items() if name == "place"}
    if "categories" in document:
        inner["categories"] = [category | more for category in document["categories"]]
    return document | inner | more


async def test_what_a_newer_program_writes_beside_this_one_is_read(store: Store, database: Database) -> None:
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(), NOW)
        await tx.prompts.put(PROMPT)
        await tx.datasets.put(manifest(), NOW)
        await tx.finetunes.add(finetune())
    documents = [c for t in metadata.sorted_tables for c in t.columns if isinstance(c.type, JSON)]
    async with database.begin() as connection:
        for column in documents:
            for document in (await connection.execute(select(column))).scalars().all():
                await connection.execute(update(column.table).values({column.name: of_tomorrow(document)}))
    async with store.transaction() as tx:
        item = await tx.inbox.claim("w", NOW, LEASE)
        assert item is not None
        assert item.arrival == arrival()
        assert await tx.inbox.of(arrival().place) == [(arrival(), None)]
        assert (await tx.prompts.get(PROMPT.id), await tx.prompts.all()) == (PROMPT, [PROMPT])
        assert await tx.datasets.get(manifest().id) == manifest()
        assert await tx.finetunes.get(finetune().id) == finetune()


def test_a_released_migration_is_frozen_and_whoever_adds_one_releases_the_one_before() -> None:
    """A changed one would leave the databases behind that were made by it."""
    with create_engine("sqlite://").connect() as connection:
        _newest, *older = ScriptDirectory.from_config(config(connection)).walk_revisions()
    assert {one.revision: sha256(Path(one.path).read_bytes()).hexdigest() for one in older} == RELEASED
