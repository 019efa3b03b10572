"""Channels that another organisation reads: nothing is posted or uploaded there, whoever asks for it."""

import pytest
from slack_sdk.errors import SlackApiError

from bot.domain.errors import Undelivered
from bot.domain.release import ModelName
from bot.practice.people import Channel
from handlers.command import upload
from handlers.slack.announcer import SlackAnnouncer
from handlers.slack.failures import call_slack
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, eventually, private, texts

OPS, GENERAL = "C0OPS000001", "C0GENERAL01"
MODEL = ModelName(provider="local", model="base")
SHARED = [{"is_ext_shared": True}, {"is_pending_ext_shared": True}]


def share(monkeypatch: pytest.MonkeyPatch, channel_id: str, fact: Json) -> None:
    """Let Slack say that another organisation reads this channel, or is invited to it."""
    conversation = Channel.conversation

    def shared(channel: Channel, bot_user: str) -> Json:
        return conversation(channel, bot_user) | (fact if channel.id == channel_id else {})

    monkeypatch.setattr(Channel, "conversation", shared)


async def by_bot(desk: SlackDesk, channel: str) -> list[Json]:
    yuko = await desk.window(desk.server.people.admin)
    return [m for m in await yuko.history(channel) if "bot_id" in m and not m.get("ephemeral")]


@pytest.mark.parametrize("fact", SHARED)
async def test_posts_and_uploads_are_refused(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch, fact: Json) -> None:
    share(monkeypatch, GENERAL, fact)
    with pytest.raises(Undelivered) as refused:
        await call_slack(desk.client.chat_postMessage(channel=GENERAL, text="a secret"))
    assert (str(refused.value), refused.value.final) == ("channel_is_shared", True)
    with pytest.raises(SlackApiError):
        await upload(desk.client, GENERAL, "a file", {"secret.csv": b"secret"}, None)
    assert await by_bot(desk, GENERAL) == []
    await desk.client.chat_postMessage(channel=WATCHED, text="ours")


async def test_shared_ops_channel_counts_as_none(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices to admins reach them in direct messages."""
    share(monkeypatch, OPS, {"is_ext_shared": True})
    yuko = await desk.window(desk.server.people.admin)

    async def all_admins() -> list[str]:
        return [yuko.user_id]

    announcer = SlackAnnouncer(desk.client, desk.people, OPS, admins=all_admins)
    await announcer.ask_permission(MODEL, paused=True)
    await announcer.tell_operators("tracker.down", {}, message_id="1", again=False)
    assert await by_bot(desk, OPS) == []
    asked_in = (await yuko.message(lambda m: "学習を止めています" in texts(m)))["channel"]
    assert asked_in.startswith("D")


async def test_list_for_all_is_shown_to_one(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    await asked(desk, "my laptop is broken")
    share(monkeypatch, WATCHED, {"is_ext_shared": True})
    priya = await desk.priya()
    before = len(await by_bot(desk, WATCHED))
    await priya.command("/finetune review here")
    await priya.message(private("my laptop is broken"))
    assert len(await by_bot(desk, WATCHED)) == before


async def test_silent_slack_delays_the_post(desk: SlackDesk) -> None:
    desk.server.faults.fail("conversations.info", calls=2)
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    async with desk.time_passes():
        await emily.answer(ts, 30)
    await eventually(desk.questions)
