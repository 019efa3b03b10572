"""Mentions in a colleague's thread: a pointing one is read with the thread, an own question is classified alone."""

from dataclasses import replace

import pytest

from bot.domain.question import Question
from bot.practice import Person
from tests.kits.slack_desk import Json, SlackDesk, eventually, texts

BOT, GENERAL = "@madoguchi", "C0GENERAL01"


async def asked_in_thread(desk: SlackDesk, root: str, text: str, asker: Person) -> tuple[Question, Json]:
    """Mention the bot in a thread; return the question and its card."""
    ts = await asker.say(GENERAL, text, thread_ts=root)
    card = await asker.answer(root)
    await desk.settled()
    question = await desk.question(GENERAL, ts)
    assert question is not None
    return question, card


@pytest.mark.parametrize(
    "text", [f"{BOT} who handles this?", f"{BOT} これ誰に聞けばいい？", f"{BOT} これは労務？", BOT]
)
async def test_pointing_mention_is_read_with_root(desk: SlackDesk, text: str) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    root = await misaki.say(GENERAL, "my laptop is broken")
    question, card = await asked_in_thread(desk, root, text, emily)
    assert "IT" in texts(card)
    own = text.removeprefix(BOT).strip()
    assert question.text == "\n".join(filter(None, [own, "my laptop is broken"]))
    assert [(author.id, author.ts) for author in question.authors] == [(misaki.user_id, root)]
    assert question.asker == emily.user_id


async def test_message_right_before_is_read_too(desk: SlackDesk) -> None:
    emily, misaki, priya = await desk.emily(), await desk.misaki(), await desk.priya()
    root = await misaki.say(GENERAL, "it does not start")
    await misaki.say(GENERAL, "not this one", thread_ts=root)
    before = await priya.say(GENERAL, "it is the laptop", thread_ts=root)
    question, _ = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert question.text == "who handles this?\nit does not start\nit is the laptop"
    assert [(one.id, one.ts) for one in question.authors] == [(misaki.user_id, root), (priya.user_id, before)]


@pytest.mark.parametrize("text", ["may I take leave?", "有給はどこに聞けばいい？"])
async def test_own_question_in_thread_stands_alone(desk: SlackDesk, text: str) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    root = await misaki.say(GENERAL, "my laptop is broken")
    question, card = await asked_in_thread(desk, root, f"{BOT} {text}", emily)
    assert "Labor" in texts(card)
    assert (question.text, question.authors) == (text, ())


async def test_outsiders_words_in_thread_are_not_read(desk: SlackDesk) -> None:
    emily, tom, misaki = await desk.emily(), await desk.tom(), await desk.misaki()
    root = await tom.say(GENERAL, "my laptop is broken, the code is 4711")
    question, card = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert (question.text, question.authors) == ("who handles this?", ())
    assert "message above could not be read" in texts(card)
    root = await misaki.say(GENERAL, "my laptop is broken")
    await tom.say(GENERAL, "the code is 4711", thread_ts=root)
    question, card = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert question.text == "who handles this?\nmy laptop is broken"
    assert "message above could not be read" in texts(card)
    assert not any("4711" in text for text in desk.model.asked)


async def test_card_in_thread_is_no_colleagues_message(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    root = await misaki.say(GENERAL, f"{BOT} my laptop is broken")
    await emily.answer(root)
    question, card = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert question.text == "who handles this?\nmy laptop is broken"
    assert "could not be read" not in texts(card)


async def test_own_thread_needs_no_agreement(desk: SlackDesk) -> None:
    emily = await desk.emily()
    root = await emily.say(GENERAL, "my laptop is broken")
    question, _ = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert (question.text, question.withheld) == ("who handles this?\nmy laptop is broken", False)


async def test_thanks_in_thread_reads_nothing(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    root = await misaki.say(GENERAL, "my laptop is broken")
    await emily.say(GENERAL, f"{BOT} :tada:", thread_ts=root)
    assert "Thank you!" in texts(await emily.answer(root))
    await desk.settled()
    assert await desk.questions() == 0


async def test_forward_in_root_is_read_by_same_rule(desk: SlackDesk) -> None:
    emily, misaki, kenji = await desk.emily(), await desk.misaki(), await desk.kenji()
    ts = await kenji.say(GENERAL, "my laptop is broken")
    message = next(m for m in await misaki.history(GENERAL) if m["ts"] == ts)
    root = await misaki.forward(message, GENERAL, "ご参考まで")
    question, _ = await asked_in_thread(desk, root, f"{BOT} これは？", emily)
    assert question.text == "これは？\nご参考まで\nmy laptop is broken"
    assert [author.id for author in question.authors] == [misaki.user_id, kenji.user_id]


async def test_edit_to_own_question_drops_the_thread(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    root = await misaki.say(GENERAL, "my laptop is broken")
    question, _ = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    await emily.edit(GENERAL, question.place.ts, f"{BOT} may I take leave?")
    await emily.message(lambda m: "Labor" in texts(m))
    edited = await desk.question(GENERAL, question.place.ts)
    assert edited is not None
    assert (edited.text, edited.authors) == ("may I take leave?", ())


async def test_unreadable_thread_leaves_the_mention(desk: SlackDesk) -> None:
    emily, misaki, workspace = await desk.emily(), await desk.misaki(), desk.server.workspace
    root = await misaki.say(GENERAL, "my laptop is broken")
    workspace.app = replace(workspace.app, scopes=workspace.app.scopes - {"channels:history"})
    question, card = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert question.text == "who handles this?"
    assert "message above could not be read" in texts(card)


async def test_thread_is_read_once_slack_answers(desk: SlackDesk) -> None:
    emily, misaki = await desk.emily(), await desk.misaki()
    root = await misaki.say(GENERAL, "my laptop is broken")
    desk.server.workspace.faults.fail("conversations.replies", calls=3)
    async with desk.time_passes():
        question, card = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    assert "IT" in texts(card)
    assert "my laptop" in question.text


async def test_row_of_thread_waits_for_its_author(desk: SlackDesk) -> None:
    emily, misaki, priya = await desk.emily(), await desk.misaki(), await desk.priya()
    root = await misaki.say(GENERAL, "my laptop is broken")
    _, card = await asked_in_thread(desk, root, f"{BOT} who handles this?", emily)
    await priya.press(card, "correct.agree")
    await priya.message(lambda m: "once the author of the quoted message agrees" in texts(m))
    assert await desk.rows() == []
    asked = await misaki.message(lambda m: "consent.yes" in str(m.get("blocks")))
    await misaki.press(asked, "consent.yes")
    await eventually(desk.rows)
