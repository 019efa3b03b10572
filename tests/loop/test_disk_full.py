"""A full disk: nothing is acked that was not stored, operators hear of it once, and the log stays short."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.app.running import open_bot
from bot.practice import Person, Server, Workspace, serve
from bot.settings import Settings
from storage.store import SqlStore
from tests.kits.full_disk import fill_disk, make_room
from tests.kits.migrated import migrated_postgresql
from tests.kits.slack_desk import eventually, texts
from tests.loop.program import MANIFEST

pytestmark = pytest.mark.timeout(90)
SAID = {"en": "The disk of the database is full", "ja": "データベースのディスクがいっぱい"}


@pytest.fixture
async def slack() -> AsyncIterator[Server]:
    async with serve(Workspace(MANIFEST)) as server:
        sockets = server.workspace.sockets
        sockets.timing = replace(sockets.timing, redeliver=(0.0, 1.0, 2.0, 4.0, 8.0))
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return migrated_postgresql()
    with closing(sqlite3.connect(tmp_path / "bot.db")) as connection:
        # Small pages, so that the free space within pages is too small for a question.
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE first (a)")
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.fixture
def settings_in(address: str, slack: Server) -> Callable[[str], Settings]:
    return partial(
        Settings,
        _env_file=None,
        slack_bot_token=SecretStr(slack.bot_token),
        slack_app_token=SecretStr(slack.app_token),
        slack_api_url=slack.api_url,
        database_url=address,
        bot_channels=[slack.channels.help_desk.id],
        bot_ops_channel=slack.channels.ops.id,
        bot_drain_seconds=0,
    )


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_full_disk_is_told_once_and_loses_nothing(
    settings_in: Callable[..., Settings], slack: Server, caplog: pytest.LogCaptureFixture, language: str
) -> None:
    channel, ops = slack.channels.help_desk.id, slack.channels.ops.id
    async with (
        open_bot(settings_in(bot_language=language)) as running,
        Person(slack.url, slack.people.employees[1].id) as asker,
        Person(slack.url, slack.people.admin.id) as admin,
    ):
        await asker.answer(await asker.say(channel, "Who pays for my desk?"), timeout=30)
        store = running.core.ports.store
        assert isinstance(store, SqlStore)
        caplog.clear()
        await fill_disk(store._database)
        asked = [await asker.say(channel, f"Question {n} " + "my laptop is broken " * 100) for n in range(3)]

        async def told() -> list[str]:
            return [said for message in await admin.history(ops) if SAID[language] in (said := texts(message))]

        await eventually(told, 30)
        assert [await replies(asker, channel, ts) for ts in asked] == [0, 0, 0]
        await make_room(store._database)
        for ts in asked:
            await eventually(partial(replies, asker, channel, ts), 40)
        assert [await replies(asker, channel, ts) for ts in asked] == [1, 1, 1]
        assert len(await told()) == 1
    ours = [record for record in caplog.records if record.levelno >= logging.ERROR and record.exc_info]
    assert ours == []


async def replies(person: Person, channel: str, ts: str) -> int:
    return len([message for message in await person.replies(channel, ts) if "bot_id" in message])
