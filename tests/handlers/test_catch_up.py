"""Catching up: after the bot was away, missed questions of the watched channel are found and answered once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from bot.domain.question import Arrival
from bot.ports import Store
from bot.practice import Person
from bot.practice.people import TEAM_ID
from bot.questions.catching_up import CatchingUp
from handlers.views.missed import LINES
from tests.kits.slack_desk import SlackDesk, eventually, open_desk, texts

WATCHED = "C0HELPDESK1"
GENERAL, RANDOM = "C0GENERAL01", "C0RANDOM001"
Json = dict[str, Any]
APOLOGY = "Sorry for the late answer"


@pytest.fixture
async def away(desk: SlackDesk) -> SlackDesk:
    """Return a bot that has read the channel once and is disconnected now."""
    await desk.catch_up.tick()
    desk.clock.advance(minutes=5)
    await desk.away()
    return desk


async def come_back(desk: SlackDesk, *, after: float = 61) -> None:
    """Reconnect after `after` seconds, read the channel, and wait for the answers."""
    desk.clock.advance(seconds=after)
    await desk.back()
    desk.catch_up.connected()
    await desk.catch_up.tick()
    await desk.settled()


async def answers(person: Person, ts: str, channel: str = WATCHED) -> list[Json]:
    return [m for m in await person.replies(channel, ts) if "bot_id" in m and m["ts"] != ts]


async def inbox_endings(desk: SlackDesk) -> list[str | None]:
    async with desk.store.transaction() as tx:
        connection = tx.inbox._connection  # type: ignore[attr-defined]  # a test may look inside
        rows = await connection.execute(text("SELECT why FROM inbox ORDER BY id"))
        return [row[0] for row in rows]


async def ops_messages(desk: SlackDesk) -> list[Json]:
    """Return the bot's messages in the ops channel, once the outbox is empty."""

    async def delivered() -> bool:
        async with desk.store.transaction() as tx:
            return (await tx.outbox.lag(desk.clock.now()))[0] == 0

    await eventually(delivered)
    priya = await desk.priya()
    return [m for m in await priya.history(desk.server.channels.ops.id) if "bot_id" in m]


async def test_missed_forward_is_read_once_slack_answers(away: SlackDesk) -> None:
    emily, misaki = await away.emily(), await away.misaki()
    said = await misaki.say(RANDOM, "my laptop is broken")
    (original,) = [m for m in await misaki.history(RANDOM) if m["ts"] == said]
    ts = await emily.forward(original, WATCHED)
    away.clock.advance(minutes=11)  # the bot has forgotten every channel and person
    away.server.workspace.faults.hold("conversations.info").set()  # the channel's own look-up succeeds
    away.server.workspace.faults.fail("conversations.info")
    await come_back(away)
    assert await answers(emily, ts) == []
    await away.catch_up.tick()
    await away.settled()
    (card,) = await answers(emily, ts)
    assert "IT" in texts(card)
    assert "forwarded" not in texts(card)


async def test_missed_questions_are_answered_once_with_apology(away: SlackDesk) -> None:
    emily, misaki = await away.emily(), await away.misaki()
    asked = [await emily.say(WATCHED, "my laptop is broken"), await emily.say(WATCHED, "@madoguchi may I take leave?")]
    japanese = await misaki.say(WATCHED, "有給は何日前までに申請しますか")
    await come_back(away)
    for ts in asked:
        (card,) = await answers(emily, ts)
        assert APOLOGY in texts(card)
        assert APOLOGY in card["text"], "the notification has the apology too"
    (card,) = await answers(misaki, japanese)
    assert "回答が遅くなりました" in texts(card)
    away.clock.advance(minutes=5)
    await away.catch_up.tick()
    await away.settled()
    assert [len(await answers(emily, ts)) for ts in asked] == [1, 1]
    assert await away.questions() == 3


async def test_question_answered_in_time_has_no_apology(desk: SlackDesk) -> None:
    emily = await desk.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    assert APOLOGY not in texts(await emily.answer(ts))
    desk.clock.advance(minutes=5)
    await desk.catch_up.tick()
    desk.clock.advance(minutes=5)
    await desk.catch_up.tick()
    await desk.settled()
    assert len(await answers(emily, ts)) == 1
    assert await desk.questions() == 1


async def test_first_start_ignores_older_messages(desk: SlackDesk) -> None:
    emily = await desk.emily()
    await desk.away()
    ts = await emily.say(WATCHED, "my laptop is broken")
    desk.clock.advance(minutes=2)
    await desk.back()
    await desk.catch_up.tick()
    await desk.settled()
    desk.clock.advance(hours=30)
    await desk.catch_up.tick()
    await desk.settled()
    assert await answers(emily, ts) == [], "the message is older than the bot's first read of the channel"
    assert await ops_messages(desk) == []


async def test_late_event_is_not_second_question(away: SlackDesk) -> None:
    """Slack retries an event for some minutes, so the channel's history may be faster."""
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    (message,) = [m for m in await emily.history(WATCHED) if m["ts"] == ts]
    away.clock.advance(seconds=61)
    await away.back()
    away.catch_up.connected()
    event = {**message, "type": "message", "channel": WATCHED, "channel_type": "channel", "event_ts": ts}
    away.server.workspace.emit(event, "message.channels")
    await asyncio.gather(away.catch_up.tick(), away.catch_up.tick())
    away.server.workspace.emit(event, "message.channels")
    await away.settled()
    await eventually(lambda: _inbox_has(away, 2))
    await away.settled()
    assert len(await answers(emily, ts)) == 1
    assert await away.questions() == 1


async def _inbox_has(desk: SlackDesk, n: int) -> bool:
    return len(await inbox_endings(desk)) >= n


async def test_young_message_is_left_to_its_event(away: SlackDesk) -> None:
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await come_back(away, after=30)
    assert await answers(emily, ts) == []
    away.clock.advance(seconds=15)
    await away.catch_up.tick()
    assert await away.questions() == 0
    away.clock.advance(seconds=16)
    await away.catch_up.tick()
    await away.settled()
    assert len(await answers(emily, ts)) == 1, "a minute after the connect every missed message is old enough"


async def test_history_follows_same_policy_as_events(away: SlackDesk) -> None:
    emily, tom = await away.emily(), await away.tom()
    by_guest = await tom.say(WATCHED, "my laptop is broken")
    by_stranger = away.server.stranger_says(WATCHED, "my laptop is broken")
    by_app = away.server.other_bot_says(WATCHED, "my laptop is broken")
    root = await emily.say(WATCHED, ":tada:")
    reply = await emily.say(WATCHED, "my laptop is broken, too", thread_ts=root)
    elsewhere = await emily.say(GENERAL, "@madoguchi my laptop is broken")
    await come_back(away)
    assert (await tom.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")
    assert await away.questions() == 0
    for ts in (by_guest, by_stranger, by_app, root, reply):
        assert [m for m in await answers(emily, ts) if not m.get("ephemeral")] == []
    assert await answers(emily, elsewhere, GENERAL) == []
    # Slack shows ephemeral messages only to members of the channel, and the stranger is none.
    assert sorted(filter(None, await inbox_endings(away))) == ["Undelivered, untold", "emoji_only", "outsider"]


async def test_channel_shared_with_other_organisation_gets_no_answers(
    away: SlackDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    info = away.client.conversations_info

    async def shared(**call: Any) -> Any:
        answer: Any = await info(**call)
        answer.data["channel"]["is_ext_shared"] = True
        return answer

    monkeypatch.setattr(away.client, "conversations_info", shared)
    await come_back(away)
    assert await answers(emily, ts) == []
    assert await away.questions() == 0


async def test_edited_message_is_answered_and_deleted_is_not(away: SlackDesk) -> None:
    emily = await away.emily()
    edited, deleted = await emily.say(WATCHED, "my laptop"), await emily.say(WATCHED, "my laptop is broken")
    await emily.edit(WATCHED, edited, "may I take leave?")
    await emily.delete(WATCHED, deleted)
    await come_back(away)
    (card,) = await answers(emily, edited)
    assert "Labor" in texts(card)
    assert await away.questions() == 1


async def test_all_pages_of_history_are_read(away: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.catch_up.HISTORY_PAGE", 2)
    emily = await away.emily()
    asked = [await emily.say(WATCHED, f"my laptop {n} is broken") for n in range(5)]
    await come_back(away)
    assert [len(await answers(emily, ts)) for ts in asked] == [1] * 5


async def test_staff_get_one_list_after_long_absence(away: SlackDesk) -> None:
    emily = await away.emily()
    old = [await emily.say(WATCHED, f"my laptop {n} is broken") for n in range(LINES + 2)]
    await emily.say(WATCHED, ":tada:")
    gone = await emily.say(WATCHED, "never mind")
    away.clock.advance(hours=25)
    young = await emily.say(WATCHED, "may I take leave?")
    await come_back(away)
    assert len(await answers(emily, young)) == 1
    for ts in old:
        assert await answers(emily, ts) == []
    (message,) = await ops_messages(away)
    assert f"hours old: {len(old) + 1}." in message["text"]
    assert "24 hours" in message["text"]
    assert f"<!subteam^{away.server.people.staff_group.id}>" in message["text"]
    shown = texts(message)
    assert all(f"/archives/{WATCHED}/p{ts.replace('.', '')}" in shown for ts in [*old, gone])
    for _ in range(3):
        away.clock.advance(minutes=5)
        await away.catch_up.tick()
    assert len(await ops_messages(away)) == 1


async def test_answered_question_is_not_listed_as_missed(desk: SlackDesk) -> None:
    await desk.catch_up.tick()
    emily = await desk.emily()
    desk.clock.advance(minutes=5)
    ts = await emily.say(WATCHED, "my laptop is broken")
    await emily.answer(ts)
    await desk.settled()
    await desk.away()
    await come_back(desk, after=25 * 3600)
    assert len(await answers(emily, ts)) == 1
    assert await ops_messages(desk) == []


async def test_list_is_posted_once_when_response_is_lost(away: SlackDesk) -> None:
    emily = await away.emily()
    await emily.say(WATCHED, "my laptop is broken")
    away.server.faults.drop("chat.postMessage", after=True)
    async with away.time_passes():
        await come_back(away, after=25 * 3600)
        assert len(await ops_messages(away)) == 1


async def test_rate_limit_delays_reading_and_loses_nothing(away: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    away.server.faults.rate_limit("conversations.history")
    await come_back(away)
    assert await away.questions() == 0
    assert "ratelimited" in caplog.text
    await away.catch_up.tick()
    await away.settled()
    assert len(await answers(emily, ts)) == 1


async def test_unreadable_channel_is_logged_once_and_others_read(
    away: SlackDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    away.catch_up._channels = ["C0NOWHERE", WATCHED]
    async with away.store.transaction() as tx:
        await tx.cursors.move("history:C0NOWHERE", away.clock.now().isoformat(), away.clock.now())
    await come_back(away)
    assert len(await answers(emily, ts)) == 1
    for _ in range(3):
        away.clock.advance(minutes=5)
        await away.catch_up.tick()
    assert caplog.text.count("C0NOWHERE") == 1


async def test_idle_bot_reads_every_few_minutes(away: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question whose event was lost is found without a reconnect."""
    await come_back(away, after=120)
    emily = await away.emily()
    reads = 0
    history = away.client.conversations_history

    async def counted(**call: Any) -> Any:
        nonlocal reads
        reads += 1
        return await history(**call)

    monkeypatch.setattr(away.client, "conversations_history", counted)
    await away.away()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await away.back()
    for _ in range(40):
        away.clock.advance(seconds=15)
        await away.catch_up.tick()
    await away.settled()
    assert len(await answers(emily, ts)) == 1
    assert reads <= 4 + 3, "four in the minute after the connect, then one in four minutes"


async def test_concurrent_replicas_answer_and_list_once(store: Store) -> None:
    async with open_desk(store) as desk:
        emily = await desk.emily()
        await desk.catch_up.tick()
        desk.clock.advance(minutes=5)
        await desk.away()
        old = await emily.say(WATCHED, "my laptop was broken")
        desk.clock.advance(hours=30)
        ts = await emily.say(WATCHED, "my laptop is broken")
        desk.clock.advance(minutes=2)
        await asyncio.gather(*(desk.catch_up._catching_up.catch_up(WATCHED) for _ in range(4)))
        desk.answerers.wake()
        await desk.settled()
        assert len(await answers(emily, ts)) == 1
        assert await answers(emily, old) == []
        assert len(await ops_messages(desk)) == 1
        question = await desk.question(WATCHED, ts)
        assert question is not None
        assert question.late
        assert question.place.team == TEAM_ID


class ReadPeriods:
    """A history without messages that notes which periods are read."""

    def __init__(self) -> None:
        self.periods: list[tuple[str, datetime, datetime]] = []

    async def asked(self, channel: str, since: datetime, until: datetime) -> AsyncIterator[tuple[datetime, Arrival]]:
        self.periods.append((channel, since, until))
        nothing: list[tuple[datetime, Arrival]] = []
        for one in nothing:
            yield one


async def test_moved_channel_is_read_from_its_move(desk: SlackDesk) -> None:
    """Earlier messages are in the inbox under the former id, so they would be answered twice."""
    history = ReadPeriods()
    catching_up = CatchingUp(desk.store, history, desk.clock, timedelta(hours=24))
    at = desk.clock.now()
    desk.clock.advance(seconds=30)
    await catching_up.channel_moved("C0OLD", "C0NEW", at)
    for _ in range(3):
        desk.clock.advance(minutes=9)
        await catching_up.catch_up("C0NEW")
    assert await catching_up.moves() == {"C0OLD": "C0NEW"}
    assert [channel for channel, _, _ in history.periods] == ["C0NEW"] * 3
    assert [since for _, since, _ in history.periods][:2] == [at, at]
    assert history.periods[-1][2] > at + timedelta(minutes=20)
