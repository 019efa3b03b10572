"""A new owner is mentioned in the thread, because Slack notifies nobody of an updated card."""

from collections.abc import Callable

import pytest

from bot.practice import Person
from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, card, eventually, queue, texts

STAFF = "<!subteam^S0STAFF0001>"
LABOR: Callable[[Json], bool] = lambda e: e.get("text", {}).get("text") == "Labor 労務"  # noqa: E731 - a one-line predicate for presses


async def replies(person: Person, ts: str) -> list[str]:
    """Return the texts of the bot's messages in the thread after the card."""
    found = [m for m in await person.replies(WATCHED, ts) if "bot_id" in m and not m.get("ephemeral")]
    return [texts(m) for m in found[1:]]


async def delivered(desk: SlackDesk) -> None:
    async def nothing_waits() -> bool:
        async with desk.store.transaction() as tx:
            return (await tx.outbox.lag(desk.clock.now()))[0] == 0

    desk.deliverers.wake()
    await eventually(nothing_waits)


async def test_change_mentions_new_owner_in_thread(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await card(priya, ts), LABOR)
    reply = await priya.message(lambda m: "now yours" in texts(m))
    assert (reply["thread_ts"], reply["channel"]) == (ts, WATCHED)
    assert reply["text"] == f"{STAFF} This question is now yours: <@{priya.user_id}> settled it as *Labor 労務*."
    await delivered(desk)
    assert len(await replies(priya, ts)) == 1


async def test_new_owner_message_is_in_askers_language(desk: SlackDesk) -> None:
    misaki, kenji = await desk.misaki(), await desk.kenji()
    ts = await misaki.say(WATCHED, "laptop が壊れました")
    await misaki.answer(ts)
    await desk.settled()
    await kenji.press(await card(kenji, ts), LABOR)
    reply = await kenji.message(lambda m: "担当になりました" in texts(m))
    assert reply["text"].startswith(f"{STAFF} <@{kenji.user_id}> が *Labor 労務* と確定")


async def test_review_queue_press_mentions_new_owner_too(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await queue(priya), LABOR)
    assert STAFF in texts(await priya.message(lambda m: m.get("thread_ts") == ts and "now yours" in texts(m)))


@pytest.mark.parametrize("label", ["Agree", "Other"])
async def test_same_owner_or_none_is_not_mentioned(desk: SlackDesk, label: str) -> None:
    ts, kenji = await asked(desk), await desk.kenji()
    await kenji.press(await card(kenji, ts), lambda e: e.get("text", {}).get("text") == label)
    await kenji.message(lambda m: m.get("thread_ts") == ts and f"by <@{kenji.user_id}>" in texts(m))
    await delivered(desk)
    assert await replies(kenji, ts) == []


async def test_mention_is_not_repeated_after_lost_response(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    desk.server.workspace.faults.drop("chat.postMessage", after=True)
    async with desk.time_passes():
        await priya.press(await card(priya, ts), LABOR)
        await priya.message(lambda m: "now yours" in texts(m))
        await delivered(desk)
    assert len(await replies(priya, ts)) == 1


async def test_mention_is_sent_after_slack_recovers(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    desk.server.workspace.faults.fail("chat.postMessage", 503, calls=2)
    async with desk.time_passes():
        await priya.press(await card(priya, ts), LABOR)
        await priya.message(lambda m: "now yours" in texts(m))
        await delivered(desk)
    assert len(await replies(priya, ts)) == 1
