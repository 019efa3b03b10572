"""The bot was away: what was asked in the watched channel meanwhile is found there, and answered once."""

import asyncio
import logging
from typing import Any

import pytest

from bot.ports import Store
from bot.practice import Person
from bot.practice.people import TEAM_ID
from handlers.views.missed import LINES
from tests.kits.slack_desk import SlackDesk, eventually, open_desk, texts

WATCHED = "C0HELPDESK1"
GENERAL = "C0GENERAL01"
Json = dict[str, Any]
APOLOGY = "Sorry for the late answer"


@pytest.fixture
async def away(desk: SlackDesk) -> SlackDesk:
    """A bot that has read the channel once, and is away."""
    await desk.catch_up.tick()
    desk.clock.advance(minutes=5)
    await desk.away()
    return desk


async def found(desk: SlackDesk, *, after: float = 61) -> None:
    """The bot is back after so many seconds, reads the channel, and answers."""
    desk.clock.advance(seconds=after)
    await desk.back()
    desk.catch_up.connected()
    await desk.catch_up.tick()
    await desk.settled()


async def answers(person: Person, ts: str, channel: str = WATCHED) -> list[Json]:
    return [m for m in await person.replies(channel, ts) if "bot_id" in m and m["ts"] != ts]


async def endings(desk: SlackDesk) -> list[str | None]:
    async with desk.store.transaction() as tx:
        connection = tx.inbox._connection  # type: ignore[attr-defined]  # a test may look inside
        rows = await connection.exec_driver_sql("SELECT why FROM inbox ORDER BY id")
        return [row[0] for row in rows]


async def told(desk: SlackDesk) -> list[Json]:
    """What stands in the ops channel, once the outbox is empty."""

    async def delivered() -> bool:
        async with desk.store.transaction() as tx:
            return (await tx.outbox.lag(desk.clock.now()))[0] == 0

    await eventually(delivered)
    priya = await desk.priya()
    return [m for m in await priya.history(desk.server.channels.ops.id) if "bot_id" in m]


async def test_what_was_asked_while_the_bot_was_away_is_answered_once_with_an_apology(away: SlackDesk) -> None:
    emily, misaki = await away.emily(), await away.misaki()
    asked = [await emily.say(WATCHED, "my laptop is broken"), await emily.say(WATCHED, "@madoguchi may I take leave?")]
    japanese = await misaki.say(WATCHED, "有給は何日前までに申請しますか")
    await found(away)
    for ts in asked:
        (card,) = await answers(emily, ts)
        assert APOLOGY in texts(card)
        assert APOLOGY in card["text"], "it is in the notification, too"
    (card,) = await answers(misaki, japanese)
    assert "回答が遅くなりました" in texts(card)
    away.clock.advance(minutes=5)
    await away.catch_up.tick()
    await away.settled()
    assert [len(await answers(emily, ts)) for ts in asked] == [1, 1]
    assert await away.questions() == 3


async def test_what_comes_as_usual_has_no_apology(desk: SlackDesk) -> None:
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


async def test_the_first_start_leaves_the_past_alone(desk: SlackDesk) -> None:
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
    assert await answers(emily, ts) == [], "it was asked before the bot first saw the channel"
    assert await told(desk) == []


async def test_an_event_that_comes_after_all_is_not_a_second_question(away: SlackDesk) -> None:
    """Slack delivers again for some minutes; the channel's history may be faster."""
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
    return len(await endings(desk)) >= n


async def test_a_young_message_is_left_to_its_event(away: SlackDesk) -> None:
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    await found(away, after=30)
    assert await answers(emily, ts) == []
    away.clock.advance(seconds=15)
    await away.catch_up.tick()
    assert await away.questions() == 0
    away.clock.advance(seconds=16)
    await away.catch_up.tick()
    await away.settled()
    assert len(await answers(emily, ts)) == 1, "a minute after the connect all that was missed is old enough"


async def test_the_policy_is_the_same_as_for_events(away: SlackDesk) -> None:
    emily, tom = await away.emily(), await away.tom()
    guests = await tom.say(WATCHED, "my laptop is broken")
    theirs = away.server.stranger_says(WATCHED, "my laptop is broken")
    apps = away.server.other_bot_says(WATCHED, "my laptop is broken")
    root = await emily.say(WATCHED, ":tada:")
    reply = await emily.say(WATCHED, "my laptop is broken, too", thread_ts=root)
    elsewhere = await emily.say(GENERAL, "@madoguchi my laptop is broken")
    await found(away)
    assert (await tom.message(lambda m: "own members" in m.get("text", ""))).get("ephemeral")
    assert await away.questions() == 0
    for ts in (guests, theirs, apps, root, reply):
        assert [m for m in await answers(emily, ts) if not m.get("ephemeral")] == []
    assert await answers(emily, elsewhere, GENERAL) == []
    # Slack lets us tell only those who are in the channel; the stranger is not.
    assert sorted(filter(None, await endings(away))) == ["Undelivered, untold", "emoji_only", "outsider"]


async def test_nothing_is_answered_in_a_channel_that_another_organisation_reads(
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
    await found(away)
    assert await answers(emily, ts) == []
    assert await away.questions() == 0


async def test_what_was_edited_is_answered_as_it_reads_now_and_what_was_deleted_is_not(away: SlackDesk) -> None:
    emily = await away.emily()
    edited, deleted = await emily.say(WATCHED, "my laptop"), await emily.say(WATCHED, "my laptop is broken")
    await emily.edit(WATCHED, edited, "may I take leave?")
    await emily.delete(WATCHED, deleted)
    await found(away)
    (card,) = await answers(emily, edited)
    assert "Labor" in texts(card)
    assert await away.questions() == 1


async def test_more_than_a_page_is_read(away: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.catch_up.HISTORY_PAGE", 2)
    emily = await away.emily()
    asked = [await emily.say(WATCHED, f"my laptop {n} is broken") for n in range(5)]
    await found(away)
    assert [len(await answers(emily, ts)) for ts in asked] == [1] * 5


async def test_after_a_long_absence_staff_get_a_list_once(away: SlackDesk) -> None:
    emily = await away.emily()
    old = [await emily.say(WATCHED, f"my laptop {n} is broken") for n in range(LINES + 2)]
    await emily.say(WATCHED, ":tada:")
    gone = await emily.say(WATCHED, "never mind")
    away.clock.advance(hours=25)
    young = await emily.say(WATCHED, "may I take leave?")
    await found(away)
    assert len(await answers(emily, young)) == 1
    for ts in old:
        assert await answers(emily, ts) == []
    (message,) = await told(away)
    assert f"hours old: {len(old) + 1}." in message["text"]
    assert "24 hours" in message["text"]
    assert f"<!subteam^{away.server.people.staff_group.id}>" in message["text"]
    shown = texts(message)
    assert all(f"/archives/{WATCHED}/p{ts.replace('.', '')}" in shown for ts in [*old, gone])
    for _ in range(3):
        away.clock.advance(minutes=5)
        await away.catch_up.tick()
    assert len(await told(away)) == 1


async def test_what_was_answered_before_a_long_absence_is_not_listed_as_missed(desk: SlackDesk) -> None:
    await desk.catch_up.tick()
    emily = await desk.emily()
    desk.clock.advance(minutes=5)
    ts = await emily.say(WATCHED, "my laptop is broken")
    await emily.answer(ts)
    await desk.settled()
    await desk.away()
    await found(desk, after=25 * 3600)
    assert len(await answers(emily, ts)) == 1
    assert await told(desk) == []


async def test_the_list_is_posted_once_though_slack_lost_its_answer(away: SlackDesk) -> None:
    emily = await away.emily()
    await emily.say(WATCHED, "my laptop is broken")
    away.server.faults.drop("chat.postMessage", after=True)
    async with away.time_passes():
        await found(away, after=25 * 3600)
        assert len(await told(away)) == 1


async def test_a_busy_slack_delays_the_reading_and_loses_nothing(
    away: SlackDesk, caplog: pytest.LogCaptureFixture
) -> None:
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    away.server.faults.rate_limit("conversations.history")
    await found(away)
    assert await away.questions() == 0
    assert "ratelimited" in caplog.text
    await away.catch_up.tick()
    await away.settled()
    assert len(await answers(emily, ts)) == 1


async def test_a_channel_that_cannot_be_read_is_told_once_and_the_others_are_read(
    away: SlackDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    emily = await away.emily()
    ts = await emily.say(WATCHED, "my laptop is broken")
    away.catch_up._channels = ["C0NOWHERE", WATCHED]
    async with away.store.transaction() as tx:
        await tx.cursors.move("history:C0NOWHERE", away.clock.now().isoformat(), away.clock.now())
    await found(away)
    assert len(await answers(emily, ts)) == 1
    for _ in range(3):
        away.clock.advance(minutes=5)
        await away.catch_up.tick()
    assert caplog.text.count("C0NOWHERE") == 1


async def test_a_quiet_bot_reads_every_few_minutes(away: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost event is found without any reconnect."""
    await found(away, after=120)
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


async def test_replicas_that_read_the_same_stretch_answer_and_list_once(store: Store) -> None:
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
        assert len(await told(desk)) == 1
        question = await desk.question(WATCHED, ts)
        assert question is not None
        assert question.late
        assert question.place.team == TEAM_ID
