"""Upgrades with data from every released revision, and old and new programs side by side."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, select, update
from sqlalchemy.types import JSON

from bot.domain.question import Ending, Via
from bot.ports import Store
from storage.database import Database
from storage.migrations import config
from storage.store import SqlStore
from storage.tables import inbox, metadata, releases
from tests.storage.conftest import FILLED, CopyDatabase, MakeDatabase
from tests.storage.reflected import read_rows, reflect_tables, write_rows
from tests.storage.things import LEASE, NOW, PROMPT, arrival, finetune, manifest

RELEASED = {
    "0010": "7e08990db81f62a2667b75543d8657c1fa88ea0330b35632cf603818ea00583d",
    "0009": "652c960e4e5ac7bc404008c7026688750af47017808ab245456ed46ff252498c",
    "0008": "71f6d34985b991523bcdb993372e702a42105c3d5bca2f6645c7220b9f8a2dc3",
    "0007": "4ae6cefbb205513856347d90186759cbb6edbb3b4e79580a8ede2e902200b2c3",
    "0006": "e9998265cb73515952726884c4aa5703dd47c82f5ba85920a88621a1c91baa73",
    "0005": "66d8c7338edb3d24c988005cc76ac28a19b7763eca049c12b1cefb0b3f1c71fb",
    "0004": "b0e4938c79fb66ed49cd58e6d2fc1f8d549395067a14ba546fd01dce7c75813c",
    "0003": "7d573d63a2f4bdc2c6bf4e3f8df8eecf1b5d6e136ebeec56d4f32b5c5f020a53",
    "0002": "35da1debe45639331a519292c6224511ae998f982d5cfcbc2ee7333737254e38",
    "0001": "48bef63a1a9ea23b839726f52f785c2020e8d0728447574f35ffa7f68b8c2231",
}
"""Every revision of a released program, with the sha256 of its migration file. An entry never changes."""
KNOWN_AT_0001 = {"event_id", "kind", "via", "place", "asker", "text", "language", "has_files", "outsider"}
"""Fields of an arrival that the first released program knows."""


@dataclass(frozen=True)
class Upgraded:
    """A database that was filled at a released revision and then migrated; tests work on copies of it.

    Args:
        url: Its address.
        tables: Its tables as they were at that revision.
        before: Table → its rows as they were before the migration.
    """

    url: str
    tables: MetaData
    before: dict[str, list[dict[str, Any]]]


async def upgrade_from(revision: str, url: str) -> Upgraded:
    """Create the tables of this revision, write one row into each and migrate."""
    database = Database(url)
    async with database.begin() as connection:
        await connection.run_sync(lambda c: command.upgrade(config(c), revision))
        tables = await connection.run_sync(reflect_tables)
        await connection.run_sync(write_rows, tables, 1)
    async with database.begin() as connection:
        before = {table.name: await connection.run_sync(read_rows, table) for table in tables.sorted_tables}
    await database.migrate()
    await database.close()
    return Upgraded(url, tables, before)


@pytest.fixture(scope="module", params=RELEASED)
def template(make_empty: MakeDatabase, request: pytest.FixtureRequest) -> Upgraded:
    """Return the database upgraded from a released revision: one for the tests of that revision."""
    return asyncio.run(upgrade_from(request.param, make_empty()))


@pytest.fixture
async def upgraded(template: Upgraded, copy_database: CopyDatabase) -> AsyncIterator[tuple[Database, Upgraded]]:
    """Yield a copy of an upgraded database, with what is known about it."""
    database = Database(copy_database(template.url))
    yield database, template
    await database.close()


async def test_upgrade_keeps_every_value_of_every_table(upgraded: tuple[Database, Upgraded]) -> None:
    database, released = upgraded
    assert len(released.before) >= 17
    async with database.begin() as connection:
        for table in released.tables.sorted_tables:
            after = await connection.run_sync(read_rows, table)
            assert after == released.before[table.name], table.name
            assert len(after) == 1 or table.name in FILLED


async def test_older_program_can_write_to_newer_tables(upgraded: tuple[Database, Upgraded]) -> None:
    """Replay a rolling upgrade: the first new replica migrates while the others still run the old version."""
    database, tables = upgraded[0], upgraded[1].tables
    async with database.begin() as connection:
        await connection.run_sync(write_rows, tables, 2)
        for table in tables.sorted_tables:
            written = len(await connection.run_sync(read_rows, table))
            assert written == 2 or table.name in FILLED, table.name
        numbers = select(releases.c.version, releases.c.examples).order_by(releases.c.number)
        assert [tuple(row) for row in await connection.execute(numbers)] == [(1, 1), (2, 1)]


async def test_newer_program_reads_rows_of_older_program(upgraded: tuple[Database, Upgraded]) -> None:
    """Read rows in the format of revision 0001, whose program may also write after the upgrade."""
    database, tables = upgraded[0], upgraded[1].tables
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
        if "authors" in tables.tables["questions"].columns:
            await connection.execute(tables.tables["questions"].update().values(authors=None))
            await connection.execute(tables.tables["inbox"].update().values(others=None))
        for table in (tables.tables["inbox"], tables.tables["questions"]):
            if "audience" in table.columns:
                await connection.execute(table.update().values(audience="unknown"))
            if "authors" in table.columns:
                await connection.execute(table.update().values(authors=None))
    async with SqlStore(database).transaction() as tx:
        item = await tx.inbox.claim("w", NOW, LEASE)
        assert item is not None
        assert (item.arrival.text, item.arrival.via, item.arrival.late) == ("有給は何日前?", Via.CHANNEL, False)
        assert await tx.inbox.finish(item, Ending.ANSWERED, None, NOW)
        question, verdict = await tx.questions.get("x1"), await tx.questions.verdict("x1")
        kept = "x1" if "text" in tables.tables["finetune_rows"].columns else None
        assert await tx.finetunes.trained_rows("x1") == {"x1": kept}
    assert question is not None
    assert verdict is not None
    assert (question.late, question.via, verdict.provisional) == (False, Via.DM, False)


async def test_program_of_0001_can_read_new_arrivals(store: Store, database: Database) -> None:
    """The old program rejects unknown fields. Only late arrivals and edits, for newer programs, may have them."""
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(1), NOW)
        await tx.inbox.add(arrival(2).model_copy(update={"late": True}), NOW)
    async with database.begin() as connection:
        usual, late = (await connection.execute(select(inbox.c.arrival).order_by(inbox.c.id))).scalars()
    assert set(usual) <= KNOWN_AT_0001
    assert set(late) - KNOWN_AT_0001 == {"late"}


def with_future_fields(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with additional fields, as a newer program may write it."""
    future = {"future_field": 1}
    inner: dict[str, Any] = {name: part | future for name, part in document.items() if name == "place"}
    if "categories" in document:
        inner["categories"] = [category | future for category in document["categories"]]
    return document | inner | future


async def test_unknown_fields_of_newer_programs_are_ignored(store: Store, database: Database) -> None:
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(), NOW)
        await tx.prompts.put(PROMPT)
        await tx.datasets.put(manifest(), NOW)
        await tx.finetunes.add(finetune())
    documents = [c for t in metadata.sorted_tables for c in t.columns if isinstance(c.type, JSON)]
    async with database.begin() as connection:
        for column in documents:
            for document in (await connection.execute(select(column).where(column.is_not(None)))).scalars().all():
                await connection.execute(update(column.table).values({column.name: with_future_fields(document)}))
    async with store.transaction() as tx:
        item = await tx.inbox.claim("w", NOW, LEASE)
        assert item is not None
        assert item.arrival == arrival()
        assert await tx.inbox.of(arrival().place) == [(arrival(), None)]
        assert (await tx.prompts.get(PROMPT.id), await tx.prompts.all()) == (PROMPT, [PROMPT])
        assert await tx.datasets.get(manifest().id) == manifest()
        assert await tx.finetunes.get(finetune().id) == finetune()


def test_released_migrations_are_frozen() -> None:
    """An edited migration would not reach the databases that it already made."""
    with create_engine("sqlite://").connect() as connection:
        scripts = [*ScriptDirectory.from_config(config(connection)).walk_revisions()]
    hashes = {script.revision: sha256(Path(script.path).read_bytes()).hexdigest() for script in scripts}
    assert {revision: hashes[revision] for revision in RELEASED} == RELEASED
