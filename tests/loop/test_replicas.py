"""Two replicas on one PostgreSQL: each knows what the other did, and takes up what the other left undone."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bot.practice import Person, Workspace, serve
from handlers.views import ids
from tests.kits.postgres import make_database
from tests.loop.program import MANIFEST, at_slack, run_with_short_leases
from tests.loop.story import ENGLISH, LoopDesk, actions, details, said, settle_all_questions, words
from tests.loop.story import serve as let_serve

pytestmark = pytest.mark.timeout(180)
WITHIN = 10.0
"""Seconds after which every replica serves a new release and knows a new settlement."""


class OutsideView:
    """The database, read from outside the bots."""

    def __init__(self) -> None:
        self.url = make_database()

    def rows(self, query: str, *facts: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), facts).fetchall()

    def answerers(self, since: int) -> int:
        """Return how many replicas answered the arrivals after this one."""
        return len(self.rows("SELECT DISTINCT holder FROM inbox WHERE id > %s", since))

    def newest(self) -> int:
        return int(self.rows("SELECT coalesce(max(id), 0) FROM inbox")[0][0])


async def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := holds()):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)
    return found


async def asked_together(desk: LoopDesk, text: str) -> set[str]:
    """Ask eight questions at once, which Slack hands to both replicas in turn; return the categories answered."""
    return {said(card) for card in await asyncio.gather(*(desk.ask(f"{text} {n}") for n in range(8)))}


def trains(bot: int) -> bool:
    """Return whether this process has a training worker."""
    children = Path(f"/proc/{bot}/task/{bot}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline") for child in children]
    return any(b"bot.embedded.train" in command.read_bytes() for command in commands if command.exists())


async def test_two_replicas_are_one_bot(tmp_path: Path) -> None:
    record = OutsideView()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        env = at_slack(server) | {
            "DATABASE_URL": record.url,
            "BOT_STAFF": server.people.staff_group.id,
            "BOT_ADMINS": server.people.admin_group.id,
            "BOT_OPS_CHANNEL": server.channels.ops.id,
            "BOT_LANGUAGE": "en",
        }
        members = (server.people.employees[0], server.people.staff[0], server.people.admin)
        bots = [await stack.enter_async_context(run_with_short_leases(tmp_path, env)) for _ in range(2)]
        windows = [await stack.enter_async_context(Person(server.url, member.id)) for member in members]
        desk = LoopDesk(server, *windows)
        status = await desk.command("status")
        assert "*Replicas* 2" in await details(desk, status)
        assert "Not every copy" not in words(status)

        # The other replica shows the model the questions that staff settle by this one.
        right = await settle_all_questions(desk, ENGLISH)
        before, settled = record.newest(), time.monotonic()
        assert await asked_together(desk, ENGLISH.similar) == {right}
        assert time.monotonic() - settled < WITHIN
        assert record.answerers(before) == 2

        # The job of a replica that is killed is taken up by the other one.
        await desk.admin.press(await desk.command("start"), ids.FINETUNE_CONFIRM)
        trainer = await until(lambda: next((bot for bot in bots if trains(bot)), None))
        os.kill(trainer, signal.SIGKILL)
        told = await desk.admin.message(lambda m: ids.FINETUNE_COMPARE in actions(m), timeout=60.0)
        ((state, model),) = record.rows("SELECT state, model FROM finetunes")
        ((version,),) = record.rows("SELECT version FROM releases WHERE model = %s", model)
        assert (state, f"v{version}" in words(told)) == ("succeeded", True)

        # A new replica and the old one serve what the old one trained, as soon as it is switched to.
        await stack.enter_async_context(run_with_short_leases(tmp_path, env))
        await until(lambda: record.rows("SELECT count(*) FROM replicas") == [(2,)], seconds=45)
        ((release,),) = record.rows("SELECT id FROM releases WHERE model = %s", model)
        await let_serve(desk, f"v{version}")
        before, switched = record.newest(), time.monotonic()
        assert await asked_together(desk, ENGLISH.again) == {right}
        assert time.monotonic() - switched < WITHIN
        assert record.answerers(before) == 2
        newest = "SELECT release_id FROM verdicts JOIN questions q ON q.id = question_id WHERE q.text LIKE %s"
        assert record.rows(newest, f"{ENGLISH.again} %") == [(release,)] * 8
        await until(lambda: record.rows("SELECT release_id FROM replicas") == [(release,)] * 2, seconds=WITHIN)
        assert time.monotonic() - switched < WITHIN
        listed = await details(desk, await desk.command("status"))
        assert "*Replicas* 2" in listed
        assert "Not every copy" not in listed
