"""An asker's reply in the thread of an answer is offered to be taken as a question."""

import pytest

from tests.kits.slack_desk import WATCHED, Json, SlackDesk, asked, controls, private, texts

OFFER = "Shall I take this as a new question?"


def offers(messages: list[Json]) -> list[Json]:
    return [m for m in messages if "follow_up.yes" in controls(m)]


async def test_asking_reply_becomes_a_question(desk: SlackDesk) -> None:
    emily = await desk.emily()
    root = await asked(desk)
    reply = await emily.say(WATCHED, "Thanks! May I also take leave tomorrow?", root)
    offer = await emily.message(private(OFFER))
    assert await desk.questions() == 1
    await emily.press(offer, "follow_up.yes")
    card = await emily.message(lambda m: "Labor 労務" in texts(m) and m.get("thread_ts") == root)
    await desk.settled()
    question = await desk.question(WATCHED, reply)
    assert question
    assert (question.card_ts, await desk.questions()) == (card["ts"], 2)


async def test_only_the_askers_questions_are_offered(desk: SlackDesk) -> None:
    emily, priya = await desk.emily(), await desk.priya()
    root = await asked(desk)
    await priya.say(WATCHED, "Which model is it?", root)
    await emily.say(WATCHED, "thanks, solved", root)
    await emily.say(WATCHED, "It is a Dell laptop.", root)
    await emily.say(WATCHED, "May I take leave?", root)
    await emily.message(private(OFFER))
    assert await desk.questions() == 1
    assert len(offers(await emily.replies(WATCHED, root))) == 1
    assert offers(await priya.replies(WATCHED, root)) == []


async def test_offer_in_a_direct_message_is_a_reply(desk: SlackDesk) -> None:
    misaki = await desk.misaki()
    channel = await misaki.dm()
    root = await misaki.say(channel, "my laptop is broken")
    await misaki.answer(root)
    await desk.settled()
    reply = await misaki.say(channel, "有給も取れますか", root)
    offer = await misaki.message(lambda m: "follow_up.yes" in controls(m))
    assert offer["thread_ts"] == root
    await misaki.press(offer, "follow_up.yes")
    await misaki.message(lambda m: "お受けしました" in texts(m))
    await desk.settled()
    assert await desk.question(channel, reply)


@pytest.mark.parametrize("text", ["I feel like killing myself"])
async def test_cry_in_a_reply_is_answered_at_once(desk: SlackDesk, text: str) -> None:
    emily = await desk.emily()
    root = await asked(desk)
    await emily.say(WATCHED, text, root)
    await emily.message(private("call the emergency number first"))
    assert await desk.questions() == 1
