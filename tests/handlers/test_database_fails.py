"""The database is away, full or locked: what was accepted is answered once, and who pressed in vain is told."""

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.practice import Person
from handlers.views import ids
from storage import database as way
from storage.database import Database
from storage.store import SqlStore
from tests.chaos.processes import Postgres
from tests.kits.slack_desk import SlackDesk, entered, eventually, open_desk, texts

WATCHED = "C0HELPDESK1"
LATER = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds after which an event comes again: Slack is more patient still."""
pytestmark = pytest.mark.timeout(90)
NOT_SAVED = {"en": "could not be saved", "ja": "保存できませんでした"}


@asynccontextmanager
async def desk_at(url: str) -> AsyncIterator[SlackDesk]:
    database = Database(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await database.migrate()
        desk = await stack.enter_async_context(open_desk(SqlStore(database)))
        sockets = desk.server.workspace.sockets
        sockets.timing = replace(sockets.timing, redeliver=LATER)
        yield desk


@pytest.fixture
async def postgres() -> AsyncIterator[Postgres]:
    server = await asyncio.to_thread(Postgres)
    yield server
    await asyncio.to_thread(server.close)


async def answers(person: Person, ts: str) -> list[dict[str, Any]]:
    return [m for m in await person.replies(WATCHED, ts) if "bot_id" in m]


async def answered_once(desk: SlackDesk, person: Person, asked: list[str]) -> None:
    """Each has its card, after whatever leases must run out, and no second one comes."""
    for ts in asked:
        await eventually(partial(answers, person, ts), 45)
    await desk.settled()
    assert [len(await answers(person, ts)) for ts in asked] == [1] * len(asked)


async def told_in_vain(person: Person, language: str) -> None:
    told = await person.message(lambda m: NOT_SAVED[language] in texts(m), timeout=20)
    assert told.get("ephemeral")


async def pressed_in_vain(desk: SlackDesk, card: dict[str, Any]) -> None:
    """Two of the staff press; each is told in private and in their language, and the card stays as it is."""
    for person, language in ((await desk.priya(), "en"), (await desk.kenji(), "ja")):
        await person.press(card, ids.AGREE)
        await told_in_vain(person, language)


async def pressed(desk: SlackDesk, card: dict[str, Any]) -> None:
    priya = await desk.priya()
    await priya.press(card, ids.AGREE)
    settled = await priya.message(lambda m: m["ts"] == card["ts"] and "confirmed by" in texts(m), timeout=20)
    assert settled


async def test_connections_that_break_in_the_middle_lose_and_double_nothing(postgres: Postgres) -> None:
    async with desk_at(postgres.url) as desk, desk.time_passes():
        emily = await desk.emily()

        async def break_them() -> None:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            async with await psycopg.AsyncConnection.connect(postgres.url, autocommit=True) as operator:
                for _ in range(40):
                    await operator.execute(f"{others} AND datname = 'postgres'")
                    await asyncio.sleep(0.03)

        breaking = asyncio.create_task(break_them())
        asked = []
        for n in range(12):
            asked.append(await emily.say(WATCHED, f"my laptop {n} is broken"))
            await asyncio.sleep(0.1)
        await breaking
        await answered_once(desk, emily, asked)
        assert await desk.questions() == len(asked)


async def test_a_server_that_dies_and_comes_back_is_met_by_the_same_bot(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk_at(postgres.url) as desk, desk.time_passes():
        emily = await desk.emily()
        before = await emily.say(WATCHED, "may I take leave?")
        card = await emily.answer(before)
        await desk.settled()
        caplog.clear()
        crash = asyncio.create_task(postgres.crash(away=3))
        await asyncio.sleep(0.3)
        meanwhile = await emily.say(WATCHED, "my laptop is broken")
        await pressed_in_vain(desk, card)
        await crash
        await answered_once(desk, emily, [before, meanwhile])
        await pressed(desk, card)
        question = await desk.question(WATCHED, before)
        assert question is not None
        assert [c.by for c in await desk.corrections(question)] == [desk.server.people.staff[1].id]
        lines = [
            record
            for record in caplog.records
            if record.name.startswith(("handlers", "bot.")) and "sockets" not in record.name
        ]
        assert len(lines) < 30, "a few for each pool, event and press, none for each try"
        assert not any("leave" in record.getMessage() or "laptop" in record.getMessage() for record in lines)


async def fill(database: Database) -> None:
    """Let the file grow no further, and use up what is free in it."""
    keep = text("INSERT INTO files (name, sha256, data, updated_at) VALUES (:name, '', :data, '2026-11-22')")
    async with database.begin() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    async def keep_on(size: int) -> None:
        for n in itertools.count():
            async with database.begin() as connection:
                await connection.execute(keep, {"name": f"{size}.{n}", "data": b"x" * size})

    for size in (100_000, 1_000, 10):
        with pytest.raises(DBAPIError, match="full"):
            await keep_on(size)


async def test_a_full_disk_is_told_and_what_came_meanwhile_is_answered_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with closing(sqlite3.connect(path)) as connection:
        # Small pages: what is free in those that are not quite full is not enough for a press.
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE first (a)")
    async with desk_at(f"sqlite:///{path}") as desk, desk.time_passes():
        database = desk.store._database  # type: ignore[attr-defined]  # a test may look inside
        emily = await desk.emily()
        before = await emily.say(WATCHED, "may I take leave?")
        card = await emily.answer(before)
        await desk.settled()
        await fill(database)
        meanwhile = await emily.say(WATCHED, "my laptop is broken " * 100)
        for person, language in ((await desk.priya(), "en"), (await desk.kenji(), "ja")):
            # With a reason of some length: a bare press may fit into a page that is there.
            await person.press(card, ids.CORRECT_OPEN)
            view = await person.view()
            await person.submit(view, entered(view, "it", "because " * 60))
            await told_in_vain(person, language)
        assert await answers(emily, meanwhile) == []
        async with database.begin() as room:
            await room.execute(text("PRAGMA max_page_count = 1000000"))
        await answered_once(desk, emily, [before, meanwhile])
        await pressed(desk, card)


async def test_a_file_that_another_program_locks_is_told_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(way, "BUSY_SECONDS", 0.2)
    path = tmp_path / "desk.db"
    async with desk_at(f"sqlite:///{path}") as desk, desk.time_passes():
        emily = await desk.emily()
        before = await emily.say(WATCHED, "may I take leave?")
        card = await emily.answer(before)
        await desk.settled()
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN IMMEDIATE")
            meanwhile = await emily.say(WATCHED, "my laptop is broken")
            await pressed_in_vain(desk, card)
            other.execute("ROLLBACK")
        await answered_once(desk, emily, [before, meanwhile])
        await pressed(desk, card)
