"""A replica at rest: how often it asks its database."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, event

from bot.app.lifecycle import SlackSide, own_tasks, periodic_tasks
from bot.app.running import practice_settings
from bot.app.wiring import Core, open_core
from bot.practice import Workspace, serve
from bot.settings import ROOT, Settings
from handlers.catch_up import CatchUp
from handlers.context import Wake
from handlers.server.clock import Timetable
from handlers.server.workers import DrainDeadline, Workers
from handlers.slack.connection import fetch_identity, open_client
from tests.kits.fakes import StepClock
from tests.kits.migrated import migrated_sqlite

MANIFEST = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
SECONDS = 240
LOOK_SECONDS = 1.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StepClock:
    clock = StepClock()
    monkeypatch.setattr("bot.app.wiring.SystemClock", lambda: clock)
    return clock


@pytest.fixture
async def core(clock: StepClock, tmp_path: Path) -> AsyncIterator[tuple[Core, SlackSide, str]]:
    """The bot on the side of the database and of Slack, in a practice workspace; and a channel to watch."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(Workspace(MANIFEST)))
        url = migrated_sqlite(tmp_path / "rest.db")
        settings = practice_settings(Settings(_env_file=None, database_url=url, bot_encoder="none"), server)
        core = await stack.enter_async_context(open_core(settings, practice=True))
        client = await stack.enter_async_context(open_client(settings.slack_bot_token, settings.slack_api_url))
        side = SlackSide.of(core, settings, client, await fetch_identity(client))
        yield core, side, server.channels.help_desk.id


@contextmanager
def counting() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_idle_replica_sends_two_statements_a_second(core: tuple[Core, SlackSide, str], clock: StepClock) -> None:
    """Each second of the clock runs what the timetable has for it. This replica has all leases."""
    bot, side, watched = core
    workers = Workers(bot.ports, bot.acts, side.slack, DrainDeadline(0))
    context = side.context(bot.acts, Wake(workers.answer, workers.deliver, workers.update, lambda: None))
    catch_up = CatchUp(side.slack.catching_up, [watched], clock, workers.answer, lambda: None, side.client.moved)
    shared = periodic_tasks(bot, side, workers, catch_up)
    one = {name: (bot.replicas.exclusive(name, act), seconds) for name, (act, seconds) in shared.items()}
    tasks: Timetable = {**own_tasks(bot, side, context), **one}
    await bot.replicas.beat()
    catch_up.connected()
    with counting() as sent:
        for second in range(1, SECONDS + 1):
            clock.advance(seconds=1)
            await workers.wake_due()
            for act, seconds in tasks.values():
                if second % seconds == 0:
                    await act()
    assert any(statement.startswith("UPDATE cursors") for statement in sent), "the channel was read"
    assert 1.0 < len(sent) / SECONDS <= 2.0, sent
