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
    reply, asker = await priya.message(lambda m: "is now with" in texts(m)), (await desk.emily()).user_id
    assert (reply["thread_ts"], reply["channel"]) == (ts, WATCHED)
    assert reply["text"] == f"<@{asker}> This question is now with {STAFF} (*Labor 労務*)."
    await delivered(desk)
    assert len(await replies(priya, ts)) == 1


async def test_new_owner_message_is_in_askers_language(desk: SlackDesk) -> None:
    misaki, kenji = await desk.misaki(), await desk.kenji()
    ts = await misaki.say(WATCHED, "laptop が壊れました")
    await misaki.answer(ts)
    await desk.settled()
    await kenji.press(await card(kenji, ts), LABOR)
    reply = await kenji.message(lambda m: "が担当します" in texts(m))
    assert reply["text"] == f"<@{misaki.user_id}> さん、このご質問は *Labor 労務* の {STAFF} が担当します。"


async def test_review_queue_press_mentions_new_owner_too(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    await priya.press(await queue(priya), LABOR)
    assert STAFF in texts(await priya.message(lambda m: m.get("thread_ts") == ts and "is now with" in texts(m)))


@pytest.mark.parametrize(
    ("label", "told"), [("Right", []), ("Other", ["<@{asker}> This question now belongs to *Other*."])]
)
async def test_confirmed_question_tells_nobody(desk: SlackDesk, label: str, told: list[str]) -> None:
    ts, kenji, emily = await asked(desk), await desk.kenji(), await desk.emily()
    await kenji.press(await card(kenji, ts), lambda e: e.get("text", {}).get("text") == label)
    await kenji.message(lambda m: m.get("thread_ts") == ts and f"by <@{kenji.user_id}>" in texts(m))
    await delivered(desk)
    assert [text.split("\n")[0] for text in await replies(kenji, ts)] == [t.format(asker=emily.user_id) for t in told]


async def test_edit_that_moves_question_tells_new_owner(desk: SlackDesk) -> None:
    ts, emily = await asked(desk), await desk.emily()
    await emily.edit(WATCHED, ts, "may I take leave?")
    told = await emily.message(lambda m: m.get("thread_ts") == ts and "is now with" in texts(m))
    assert told["text"] == f"<@{emily.user_id}> This question is now with {STAFF} (*Labor 労務*)."


async def test_group_that_was_asked_is_not_mentioned_again(desk: SlackDesk) -> None:
    async with desk.store.transaction() as tx:
        serving = await tx.releases.serving()
        assert serving
        await tx.releases.set_unsure_below(serving.id, 0.95, None)
    ts, priya, emily = await asked(desk), await desk.priya(), await desk.emily()
    assert STAFF in texts(await card(priya, ts))
    await priya.press(await card(priya, ts), LABOR)
    await priya.message(lambda m: "now belongs to *Labor" in texts(m))
    await delivered(desk)
    (said,) = await replies(priya, ts)
    assert said.startswith(f"<@{emily.user_id}> ")
    assert STAFF not in said


async def test_mention_is_not_repeated_after_lost_response(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    desk.server.workspace.faults.drop("chat.postMessage", after=True)
    async with desk.time_passes():
        await priya.press(await card(priya, ts), LABOR)
        await priya.message(lambda m: "is now with" in texts(m))
        await delivered(desk)
    assert len(await replies(priya, ts)) == 1


async def test_mention_is_sent_after_slack_recovers(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    desk.server.workspace.faults.fail("chat.postMessage", 503, calls=2)
    async with desk.time_passes():
        await priya.press(await card(priya, ts), LABOR)
        await priya.message(lambda m: "is now with" in texts(m))
        await delivered(desk)
    assert len(await replies(priya, ts)) == 1
