"""Channels that get a new id, and channels that cannot be read, as a running bot meets them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app.doctor import examine
from bot.app.running import open_bot
from bot.practice import Person, Server, Workspace, serve
from bot.questions.delivering import tell_operators
from bot.settings import Settings
from tests.kits.migrated import migrated_sqlite
from tests.kits.slack_desk import eventually, texts
from tests.loop.program import MANIFEST

pytestmark = pytest.mark.timeout(90)
HELP_DESK, NEW = "C0HELPDESK1", "C0GENERAL01"


@dataclass(frozen=True)
class Office:
    """A practice workspace and the settings of a bot for it."""

    server: Server
    values: dict[str, Any]

    def settings(self, **changed: Any) -> Settings:
        return Settings(_env_file=None, **(self.values | changed))

    def move(self, old: str, new: str) -> None:
        """Let Slack say that a channel has a new id."""
        self.server.workspace.emit({"type": "channel_id_changed", "old_channel_id": old, "new_channel_id": new})


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with serve(Workspace(MANIFEST)) as server:
        values = {
            "slack_bot_token": SecretStr(server.bot_token),
            "slack_app_token": SecretStr(server.app_token),
            "slack_api_url": server.api_url,
            "database_url": migrated_sqlite(tmp_path / "bot.db"),
            "bot_admins": server.people.admin.id,
            "bot_staff": server.people.staff[1].id,
            "bot_channels": HELP_DESK,
            "bot_ops_channel": server.channels.ops.id,
            "bot_language": "en",
            "bot_drain_seconds": 0,
        }
        yield Office(server, values)


def people(office: Office) -> tuple[Person, Person]:
    """Return an employee and an admin."""
    url, members = office.server.url, office.server.people
    return Person(url, members.employees[1].id), Person(url, members.admin.id)


async def test_moved_channel_is_followed_after_restart_too(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    asker, admin = people(office)
    async with asker, admin:
        async with open_bot(office.settings()):
            assert await asker.answer(await asker.say(HELP_DESK, "Who pays for my desk?"), timeout=30)
            office.move("C0ELSE00001", "C0ELSE00002")  # no setting names it
            office.move(HELP_DESK, NEW)
            told = await admin.message(lambda m: HELP_DESK in texts(m) and NEW in texts(m), timeout=30)
            assert "BOT_CHANNELS" in texts(told)
            assert await asker.answer(await asker.say(NEW, "Who pays for my chair?"), timeout=30)
        assert not [m for m in await admin.history(office.server.channels.ops.id) if "C0ELSE00001" in texts(m)]
        caplog.clear()
        async with open_bot(office.settings()):
            assert await asker.answer(await asker.say(NEW, "Who pays for my lamp?"), timeout=30)
        assert f"channel {HELP_DESK} is {NEW} now" in caplog.text
    findings = [finding for finding in await examine(office.settings()) if finding.part == "BOT_CHANNELS"]
    assert [(finding.well, finding.key) for finding in findings] == [
        (True, "cli.doctor.moved"),
        (True, "cli.doctor.channels"),
    ]


async def test_moved_ops_channel_gets_messages(office: Office) -> None:
    former, ops = "C0OLDOPS001", office.server.channels.ops.id
    _, admin = people(office)
    async with admin, open_bot(office.settings(bot_ops_channel=former)) as running:
        office.move(former, ops)
        told = await admin.message(lambda m: former in texts(m), timeout=30)
        assert "BOT_OPS_CHANNEL" in texts(told)
        async with running.core.ports.store.transaction() as tx:
            await tell_operators(tx, running.core.ports.clock.now(), "tracker.down")
        assert (await admin.message(lambda m: "LangSmith" in texts(m), timeout=30))["channel"] == ops


async def test_unreadable_channel_stands_in_status(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.app.lifecycle.CATCH_UP_SECONDS", 0.5)
    _, admin = people(office)
    channel = office.server.workspace.board.channel(HELP_DESK)
    channel.members.remove(office.server.workspace.app.bot_user)
    async with admin, open_bot(office.settings()):

        async def told() -> bool:
            await admin.command("/finetune status")
            shown = await admin.message(lambda m: bool(m.get("ephemeral")), timeout=30)
            return "The bot is not in" in texts(shown)

        await eventually(told, 40)
        channel.members.append(office.server.workspace.app.bot_user)
    (finding,) = [one for one in await examine(office.settings()) if one.part == "BOT_CHANNELS"]
    assert finding.well
