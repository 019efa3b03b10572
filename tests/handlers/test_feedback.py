"""The asker's own controls: *Solved* and *Not helpful*, the private question why, and what the owner is told."""

from bot.corrections.hearing import TELL_AFTER
from tests.kits.slack_desk import SlackDesk, asked, card, controls, kept, texts, whispered

OWNER = "<@U0PRIYA0001>"


async def kinds(desk: SlackDesk, ts: str) -> list[str]:
    question = await kept(desk, ts)
    async with desk.store.transaction() as tx:
        return [one.kind.value for one in await tx.feedback.of(question.id)]


async def test_solved_is_shown_on_card(desk: SlackDesk) -> None:
    ts, emily = await asked(desk), await desk.emily()
    await emily.rate(await card(emily, ts), "feedback", good=True)
    await emily.message(whispered("glad that this is solved"))
    after = await emily.message(lambda m: m.get("thread_ts") == ts and "says it is solved" in texts(m))
    assert "correct.agree" in controls(after)
    assert await kinds(desk, ts) == ["solved"]


async def test_reason_is_asked_in_private_and_owner_told(desk: SlackDesk) -> None:
    ts, emily = await asked(desk), await desk.emily()
    await emily.rate(await card(emily, ts), "feedback", good=False)
    question = await emily.message(whispered("What is missing?"))
    assert question["thread_ts"] == ts
    await emily.press(question, "feedback.why.wrong_team")
    await emily.message(lambda m: m["ts"] == question["ts"] and OWNER in texts(m))
    desk.clock.advance(seconds=TELL_AFTER.total_seconds())
    desk.deliverers.wake()
    told = await emily.message(lambda m: m.get("thread_ts") == ts and "still needs help with" in texts(m))
    asker = f"<@{emily.user_id}>"
    assert told["text"] == f"{OWNER}: {asker} still needs help with this question. It seems to be the wrong team."
    assert await kinds(desk, ts) == ["not_helpful", "wrong_team"]
    assert await desk.rows() == []


async def test_own_words_are_taken_in_a_form(desk: SlackDesk) -> None:
    ts, emily = await asked(desk), await desk.emily()
    await emily.rate(await card(emily, ts), "feedback", good=False)
    await emily.press(await emily.message(whispered("What is missing?")), "feedback.open")
    view = await emily.view()
    sentence = {"type": "plain_text_input", "value": "it is stolen, not broken"}
    assert await emily.submit(view, {"sentence": {"sentence": sentence}}) == {}
    await emily.message(whispered("I am telling", OWNER))
    desk.clock.advance(seconds=TELL_AFTER.total_seconds())
    desk.deliverers.wake()
    await emily.message(lambda m: "“it is stolen, not broken”" in texts(m) and not m.get("ephemeral"))


async def test_others_press_is_refused_in_private(desk: SlackDesk) -> None:
    ts, priya = await asked(desk), await desk.priya()
    await priya.rate(await card(priya, ts), "feedback", good=False)
    await priya.message(whispered("Only the person who asked"))
    assert await kinds(desk, ts) == []
