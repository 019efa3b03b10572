"""Failures of the database: accepted questions are answered once, and people whose press was lost are told."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.practice import Person
from handlers.views import ids
from storage import database as database_module
from storage.database import Database
from storage.store import SqlStore
from tests.chaos.processes import Postgres
from tests.kits.full_disk import fill_disk, make_room
from tests.kits.slack_desk import SlackDesk, entered, eventually, open_desk, texts

WATCHED = "C0HELPDESK1"
REDELIVERIES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds after which the practice workspace delivers an event again; Slack itself waits longer."""
pytestmark = pytest.mark.timeout(90)
NOT_SAVED = {"en": "could not be saved", "ja": "保存できませんでした"}


@asynccontextmanager
async def open_desk_at(url: str) -> AsyncIterator[SlackDesk]:
    database = Database(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await database.migrate()
        desk = await stack.enter_async_context(open_desk(SqlStore(database)))
        sockets = desk.server.workspace.sockets
        sockets.timing = replace(sockets.timing, redeliver=REDELIVERIES)
        yield desk


@pytest.fixture
async def postgres() -> AsyncIterator[Postgres]:
    server = await asyncio.to_thread(Postgres)
    yield server
    await asyncio.to_thread(server.close)


async def answers(person: Person, ts: str) -> list[dict[str, Any]]:
    return [m for m in await person.replies(WATCHED, ts) if "bot_id" in m]


async def answered_once(desk: SlackDesk, person: Person, asked: list[str]) -> None:
    """Wait until each question has its card, even if a lease must run out first; check that there is only one."""
    for ts in asked:
        await eventually(partial(answers, person, ts), 45)
    await desk.settled()
    assert [len(await answers(person, ts)) for ts in asked] == [1] * len(asked)


async def expect_not_saved(person: Person, language: str) -> None:
    reply = await person.message(lambda m: NOT_SAVED[language] in texts(m), timeout=20)
    assert reply.get("ephemeral")


async def press_without_effect(desk: SlackDesk, card: dict[str, Any]) -> None:
    """Let two staff press; each is told in private, in their own language, that nothing was saved."""
    for person, language in ((await desk.priya(), "en"), (await desk.kenji(), "ja")):
        await person.press(card, ids.AGREE)
        await expect_not_saved(person, language)


async def press_agree(desk: SlackDesk, card: dict[str, Any]) -> None:
    priya = await desk.priya()
    await priya.press(card, ids.AGREE)
    settled = await priya.message(lambda m: m["ts"] == card["ts"] and "Confirmed by" in texts(m), timeout=20)
    assert settled


async def test_broken_connections_lose_and_double_nothing(postgres: Postgres) -> None:
    async with open_desk_at(postgres.url) as desk, desk.time_passes():
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


async def test_bot_survives_crash_of_database_server(postgres: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    async with open_desk_at(postgres.url) as desk, desk.time_passes():
        emily = await desk.emily()
        before = await emily.say(WATCHED, "may I take leave?")
        card = await emily.answer(before)
        await desk.settled()
        caplog.clear()
        crash = asyncio.create_task(postgres.crash(away=3))
        await asyncio.sleep(0.3)
        meanwhile = await emily.say(WATCHED, "my laptop is broken")
        await press_without_effect(desk, card)
        await crash
        await answered_once(desk, emily, [before, meanwhile])
        await press_agree(desk, card)
        question = await desk.question(WATCHED, before)
        assert question is not None
        assert [c.by for c in await desk.corrections(question)] == [desk.server.people.staff[1].id]
        lines = [
            record
            for record in caplog.records
            if record.name.startswith(("handlers", "bot.")) and "sockets" not in record.name
        ]
        assert len(lines) < 30, "a few lines for each pool, event and press, but none for each try"
        assert not any("leave" in record.getMessage() or "laptop" in record.getMessage() for record in lines)


async def test_full_disk_is_reported_and_questions_answered_later(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    with closing(sqlite3.connect(path)) as connection:
        # Small pages, so that the free space within pages is too small for a correction.
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE first (a)")
    async with open_desk_at(f"sqlite:///{path}") as desk, desk.time_passes():
        database = desk.store._database  # type: ignore[attr-defined]  # a test may look inside
        emily = await desk.emily()
        before = await emily.say(WATCHED, "may I take leave?")
        card = await emily.answer(before)
        await desk.settled()
        await fill_disk(database)
        meanwhile = await emily.say(WATCHED, "my laptop is broken " * 100)
        for person, language in ((await desk.priya(), "en"), (await desk.kenji(), "ja")):
            # With a long reason, because a correction without one may fit into an existing page.
            await person.press(card, ids.CORRECT_OPEN)
            view = await person.view()
            await person.submit(view, entered(view, "it", "because " * 60))
            await expect_not_saved(person, language)
        assert await answers(emily, meanwhile) == []
        await make_room(database)
        await answered_once(desk, emily, [before, meanwhile])
        await press_agree(desk, card)


async def test_locked_file_is_reported_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.2)
    path = tmp_path / "desk.db"
    async with open_desk_at(f"sqlite:///{path}") as desk, desk.time_passes():
        emily = await desk.emily()
        before = await emily.say(WATCHED, "may I take leave?")
        card = await emily.answer(before)
        await desk.settled()
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN IMMEDIATE")
            meanwhile = await emily.say(WATCHED, "my laptop is broken")
            await press_without_effect(desk, card)
            other.execute("ROLLBACK")
        await answered_once(desk, emily, [before, meanwhile])
        await press_agree(desk, card)
