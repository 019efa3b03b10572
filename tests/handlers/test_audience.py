"""The audience of a question, stored at its arrival from Slack's events and `conversations.info`."""

import logging

import pytest

from bot.domain.audience import Audience
from bot.practice import Person
from handlers.slack.channels import audience_of
from tests.kits.slack_desk import Json, SlackDesk, eventually, texts

GENERAL, WATCHED, OPS = "C0GENERAL01", "C0HELPDESK1", "C0OPS000001"
MENTION = "@madoguchi my laptop is broken"


async def audience(desk: SlackDesk, channel: str, ts: str) -> Audience:
    await desk.settled()
    question = await desk.question(channel, ts)
    assert question is not None
    return question.audience


async def test_watched_channel_is_public(desk: SlackDesk) -> None:
    desk.server.faults.fail("conversations.info")
    emily = await desk.emily()
    async with desk.time_passes():  # whether another organisation reads the channel is asked again before the answer
        ts = await asked(emily, WATCHED, "my laptop is broken")
    assert await audience(desk, WATCHED, ts) is Audience.PUBLIC


async def test_mentions_ask_slack_once(desk: SlackDesk) -> None:
    emily = await desk.emily()
    assert await audience(desk, GENERAL, await asked(emily, GENERAL, MENTION)) is Audience.PUBLIC
    desk.server.faults.fail("conversations.info")
    assert await audience(desk, GENERAL, await asked(emily, GENERAL, MENTION)) is Audience.PUBLIC


async def test_private_channel_and_direct_message_differ(desk: SlackDesk) -> None:
    kenji = await desk.kenji()
    assert await audience(desk, OPS, await asked(kenji, OPS, MENTION)) is Audience.PRIVATE
    channel = await kenji.dm()
    assert await audience(desk, channel, await asked(kenji, channel, "my laptop is broken")) is Audience.DIRECT


async def test_shortcut_stores_the_audience(desk: SlackDesk) -> None:
    kenji = await desk.kenji()
    stored = []
    for channel in (GENERAL, OPS):
        ts = await kenji.say(channel, "my laptop is broken")
        (message,) = [m for m in await kenji.history(channel) if m["ts"] == ts]
        await kenji.shortcut("ask_madoguchi", {**message, "channel": channel})
        await kenji.answer(ts)
        stored.append(await audience(desk, channel, ts))
    assert stored == [Audience.PUBLIC, Audience.PRIVATE]


async def test_history_stores_the_audience(desk: SlackDesk) -> None:
    await desk.catch_up.tick()
    desk.clock.advance(minutes=5)
    await desk.away()
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    desk.clock.advance(minutes=5)
    await desk.back()
    await desk.catch_up.tick()
    await emily.answer(ts)
    assert await audience(desk, WATCHED, ts) is Audience.PUBLIC


@pytest.mark.parametrize("silence", ["fails", "hangs"])
async def test_silent_slack_leaves_audience_unknown_until_survey(
    desk: SlackDesk, silence: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr("handlers.slack.channels.EVENT_LOOKUP_SECONDS", 0.05)
    gate = desk.server.faults.hold("conversations.info", before=True) if silence == "hangs" else None
    if gate is None:
        desk.server.faults.fail("conversations.info", calls=2)
    emily, kenji = await desk.emily(), await desk.kenji()
    ts = await emily.say(GENERAL, MENTION)
    async with desk.time_passes():
        card = await kenji.answer(ts)
    assert await audience(desk, GENERAL, ts) is Audience.UNKNOWN
    await kenji.press(card | {"channel": GENERAL}, "correct.agree")
    await eventually(desk.rows)
    assert [row.audience for row in await desk.rows()] == [Audience.UNKNOWN]
    if gate is None:
        desk.server.faults.fail("conversations.info")
        await desk.surveying.survey()
        assert await audience(desk, GENERAL, ts) is Audience.UNKNOWN, "this call failed too"
        assert "my laptop" not in caplog.text
    else:
        gate.set()
    await desk.surveying.survey()
    assert await audience(desk, GENERAL, ts) is Audience.PUBLIC
    assert [row.audience for row in await desk.rows()] == [Audience.PUBLIC]


async def test_row_takes_the_audience_of_its_question(desk: SlackDesk) -> None:
    kenji = await desk.kenji()
    ts = await kenji.say(OPS, MENTION)
    await kenji.press(await kenji.answer(ts) | {"channel": OPS}, "correct.agree")
    await eventually(desk.rows)
    (row,) = await desk.rows()
    assert (row.audience, row.channel) == (Audience.PRIVATE, OPS)


@pytest.mark.parametrize(
    ("info", "audience"),
    [
        ({"is_private": False}, Audience.PUBLIC),
        ({"is_private": False, "is_org_shared": True}, Audience.PUBLIC),
        ({"is_private": True}, Audience.PRIVATE),
        ({"is_private": False, "is_mpim": True}, Audience.PRIVATE),
        ({"is_private": True, "is_im": True}, Audience.DIRECT),
        ({"is_private": False, "is_ext_shared": True}, Audience.UNKNOWN),
        ({"is_private": False, "is_pending_ext_shared": True}, Audience.UNKNOWN),
        ({}, Audience.UNKNOWN),
    ],
)
def test_only_what_is_surely_public_is_public(info: Json, audience: Audience) -> None:
    assert audience_of({"id": "C1", **info}) is audience


async def asked(person: Person, channel: str, text: str) -> str:
    ts = await person.say(channel, text)
    assert "IT" in texts(await person.answer(ts))
    return ts
