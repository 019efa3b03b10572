"""Memory through Slack: what staff settled answers the same question from the next one on, without a model."""

import asyncio
import logging

import pytest

from bot.domain.audience import Audience
from bot.domain.correction import Press
from bot.domain.dataset import Source, Split
from bot.domain.errors import ModelDown, Trouble
from bot.domain.question import Disclosure, Verdict
from bot.practice import Person
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from bot.similarity.neighbours import RowNeighbours
from tests.kits.slack_desk import Json, SlackDesk, eventually, texts

GENERAL, WATCHED, OPS = "C0GENERAL01", "C0HELPDESK1", "C0OPS000001"
LAPTOP = "my laptop is broken"
"""A question that the desk's model takes for IT."""
SETTLED_AND_REWORDED = {
    "en": [
        ("How do I get a parking permit?", "how can i get a parking permit"),
        ("Where can I download my pay slip?", "where can I download my payslip"),
        ("I forgot my password", "i forgot my passwrod!!"),
        ("What is the deadline for expense reports?", "what's the expense report deadline"),
        ("My phone does not ring", "my phone doesn't ring, please help"),
        ("Who repairs the coffee machine?", "WHO REPAIRS THE COFFEE MACHINE"),
        ("Can you book the large meeting room?", "Hello! Could you please book the large meeting room? Thanks"),
        ("How many vacation days do I have left?", "Could you tell me how many vacation days I have left"),
        ("The printer on floor 3 jams", "printer jams on floor 3"),
        ("How do I change my bank account?", "how should I change my bank account"),
    ],
    "ja": [
        ("経費精算の締め切りはいつですか", "経費の精算の締切っていつでしたっけ"),
        ("有給は何日前に申請？", "有給は何日前までに申請ですか"),
        ("残業の申請方法を教えてください", "残業はどうやって申請しますか"),
        ("プリンターが動きません", "プリンタが動かない"),
        ("パスワードを忘れてログインできません", "ﾊﾟｽﾜｰﾄﾞ を 忘れたのでログインできない！"),
        ("在宅からVPNにつながりません", "在宅からＶＰＮにつながらないのですが"),
        ("オフィスの空調が寒すぎます", "オフィスの空調が寒すぎる"),
        ("名刺の注文を教えてもらえませんか", "すみません、名刺を注文したいです"),
        ("社員証を紛失しました", "社員証を紛失したのですが"),
        ("住宅手当の条件は？", "住宅手当の条件について教えてください"),
    ],
}


async def asked(desk: SlackDesk, person: Person, text: str, channel: str = WATCHED) -> tuple[str, Json]:
    """Ask a question a second after the last one; return its ts and its card."""
    desk.clock.advance(seconds=1)
    ts = await person.say(channel, text)
    card = await person.answer(ts)
    await desk.settled()
    return ts, card | {"channel": channel}


async def settle(desk: SlackDesk, person: Person, ts: str, card: Json, name: str | None = None) -> None:
    """Press a category, or agree without one, and wait until it is stored."""
    desk.clock.advance(seconds=1)
    channel = card["channel"]
    question = await desk.question(channel, ts)
    assert question is not None
    before = len(await desk.corrections(question))
    if name is None:
        await person.press(card, "correct.agree")
    else:
        await person.press(card, lambda element: element.get("text", {}).get("text") == name)

    async def stored() -> bool:
        return len(await desk.corrections(question)) > before

    await eventually(stored)


async def current(person: Person, ts: str, channel: str = WATCHED) -> Json:
    """Return the card as this person sees it now."""
    found = next(m for m in await person.replies(channel, ts) if "bot_id" in m and not m.get("ephemeral"))
    return found | {"channel": channel}


async def verdict(desk: SlackDesk, ts: str, channel: str = WATCHED) -> Verdict:
    question = await desk.question(channel, ts)
    assert question is not None
    async with desk.store.snapshot() as tx:
        found = await tx.questions.verdict(question.id)
    assert found is not None
    return found


async def categories(desk: SlackDesk) -> list[str]:
    return [row.category for row in await desk.rows()]


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_corrected_questions_are_right_when_asked_again(desk: SlackDesk, language: str) -> None:
    person, kenji = await (desk.emily() if language == "en" else desk.misaki()), await desk.kenji()
    for settled, reworded in SETTLED_AND_REWORDED[language]:
        ts, card = await asked(desk, person, settled)
        wrong = (await verdict(desk, ts)).category
        name = "IT" if wrong != "it" else "Other"
        await settle(desk, kenji, ts, card, name)
        calls = len(desk.model.asked)
        for text in (settled, reworded):
            again, card = await asked(desk, person, text)
            assert texts(card).startswith(name), text
            answer = await verdict(desk, again)
            assert (answer.from_memory, answer.tokens_in, answer.confidence) == (True, 0, None)
        assert len(desk.model.asked) == calls, settled
    assert {row.split for row in await desk.rows()} == {Split.TRAIN, Split.HELD_OUT}, "held-out rows serve too"


async def test_agreed_answer_serves_and_card_says_so(desk: SlackDesk) -> None:
    emily, misaki, kenji = await desk.emily(), await desk.misaki(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    assert not (await verdict(desk, ts)).from_memory
    await settle(desk, kenji, ts, card)
    _, english = await asked(desk, emily, LAPTOP)
    assert "Staff confirmed the same question on" in texts(english)
    assert "%" not in texts(english)
    _, japanese = await asked(desk, misaki, LAPTOP)
    assert "に担当者が確定しています" in texts(japanese)


async def test_unconfirmed_answers_are_not_in_memory(desk: SlackDesk) -> None:
    emily = await desk.emily()
    for _ in range(2):
        ts, _ = await asked(desk, emily, LAPTOP)
        assert not (await verdict(desk, ts)).from_memory
    assert len(desk.model.asked) == 2


async def test_memory_answers_while_the_model_is_down(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    desk.model.fail(10, ModelDown("down", Trouble.DOWN))
    _, card = await asked(desk, emily, LAPTOP)
    assert texts(card).startswith("Labor 労務")


async def test_why_says_memory_and_names_no_release(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    _, card = await asked(desk, emily, LAPTOP)
    await emily.shortcut("why_this_answer", card)
    why = texts(await emily.message(lambda m: "Why Labor" in texts(m)))
    assert "Staff confirmed the same question on" in why
    assert "Answered from memory" in why
    assert "local/base" not in why
    assert "tokens" not in why


async def test_undo_takes_memory_away_on_every_replica(desk: SlackDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    index = RowNeighbours(desk.store)
    classifying = Classifying(desk.store, desk.model, index, desk.clock)
    replica = Answering(desk.store, classifying, desk.announcer, desk.clock)
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    await desk.answerers.stop(5)

    async def answered_by_replica() -> Verdict:
        desk.clock.advance(seconds=1)
        ts = await emily.say(WATCHED, LAPTOP)
        await eventually(replica.answer_next)
        return await verdict(desk, ts)

    assert (await answered_by_replica()).from_memory
    await eventually(lambda: shows(kenji, ts, "Changed by"))
    await kenji.press(await current(kenji, ts), "correct.undo")
    await eventually(lambda: shows(kenji, ts, "Right"))
    # The replica's index has not seen the undo yet.
    monkeypatch.setattr(index, "_refresh", lambda **_: asyncio.sleep(0))
    assert await index.same(LAPTOP, ()) is not None
    assert not (await answered_by_replica()).from_memory


async def test_correction_of_memory_corrects_the_row(desk: SlackDesk) -> None:
    emily, kenji, priya = await desk.emily(), await desk.kenji(), await desk.priya()
    first, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, first, card, "Labor 労務")
    confirmed, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, confirmed, card)
    ts, card = await asked(desk, emily, "My laptop is broken!!")
    await settle(desk, priya, ts, card, "Other")
    assert await categories(desk) == ["other"] * 3, "the settlement changed wherever memory had repeated it"
    question = await desk.question(WATCHED, first)
    assert question is not None
    assert [one.by for one in await desk.corrections(question)] == [kenji.user_id, priya.user_id]
    await eventually(lambda: shows(emily, first, "Changed by <@U0PRIYA0001>"))
    again, card = await asked(desk, emily, LAPTOP)
    assert texts(card).startswith("Other")
    assert (await verdict(desk, again)).from_memory
    assert await desk.neighbours.conflicts() == []


async def shows(person: Person, ts: str, words: str) -> bool:
    return words in texts(await current(person, ts))


async def test_undone_correction_of_memory_leaves_nothing_settled(desk: SlackDesk) -> None:
    emily, kenji, priya = await desk.emily(), await desk.kenji(), await desk.priya()
    first, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, first, card, "Labor 労務")
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, priya, ts, card, "Other")
    desk.clock.advance(seconds=1)
    await eventually(lambda: shows(priya, ts, "Changed by"))
    await priya.press(await current(priya, ts), "correct.undo")

    async def withdrawn() -> bool:
        return not await desk.rows()

    await eventually(withdrawn)
    again, _ = await asked(desk, emily, LAPTOP)
    assert not (await verdict(desk, again)).from_memory
    question = await desk.question(WATCHED, first)
    assert question is not None
    assert [one.kind.value for one in await desk.corrections(question)] == ["change", "change", "undo"]


async def test_conflict_is_left_to_the_model(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    (row,) = await desk.rows()
    near = {"id": "import:1", "text": "my laptop is BROKEN", "category": "other", "source": Source.IMPORT}
    async with desk.store.transaction() as tx:
        await tx.rows.put(row.model_copy(update=near))
    again, _ = await asked(desk, emily, LAPTOP)
    assert not (await verdict(desk, again)).from_memory
    async with desk.store.transaction() as tx:
        await tx.rows.withdraw("import:1", desk.clock.now())
    again, _ = await asked(desk, emily, LAPTOP)
    assert (await verdict(desk, again)).from_memory


async def test_category_without_place_in_prompt_asks_model(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card)
    (row,) = await desk.rows()
    async with desk.store.transaction() as tx:
        await tx.rows.put(row.model_copy(update={"category": "retired"}))
    again, card = await asked(desk, emily, LAPTOP)
    assert not (await verdict(desk, again)).from_memory
    assert texts(card).startswith("IT")


async def test_imported_question_serves_as_imported(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card)
    (row,) = await desk.rows()
    imported = {"id": "import:1", "text": "the coffee is cold", "group": "coffee", "category": "labor"}
    nowhere = {"team": None, "channel": None, "ts": None, "source": Source.IMPORT, "audience": Audience.PUBLIC}
    async with desk.store.transaction() as tx:
        await tx.rows.put(row.model_copy(update=imported | nowhere))
    ts, card = await asked(desk, emily, "The coffee is cold.")
    assert texts(card).startswith("Labor 労務")
    assert "labelled questions that were imported" in texts(card)
    await settle(desk, kenji, ts, card, "Other")
    async with desk.store.snapshot() as tx:
        corrected = await tx.rows.get("import:1")
    assert corrected is not None
    assert (corrected.category, corrected.by) == ("other", kenji.user_id)


async def test_private_rows_serve_only_their_channel_or_asker(desk: SlackDesk) -> None:
    emily, kenji, priya = await desk.emily(), await desk.kenji(), await desk.priya()
    mention = f"@madoguchi {LAPTOP}"
    ts, card = await asked(desk, kenji, mention, OPS)
    await settle(desk, priya, ts, card, "Labor 労務")
    (row,) = await desk.rows()
    assert row.audience is Audience.PRIVATE
    served = {
        "asker elsewhere": await asked(desk, kenji, LAPTOP),
        "colleague there": await asked(desk, priya, mention, OPS),
        "stranger elsewhere": await asked(desk, emily, LAPTOP),
        "colleague elsewhere": await asked(desk, priya, LAPTOP),
    }
    from_memory = {}
    for name, (at, card) in served.items():
        from_memory[name] = (await verdict(desk, at, card["channel"])).from_memory
    assert [name for name, remembered in from_memory.items() if remembered] == ["asker elsewhere", "colleague there"]
    dm = await kenji.dm()
    ts, _ = await asked(desk, kenji, "may I take leave", dm)
    sent = await desk.question(dm, ts)
    assert sent is not None
    async with desk.store.transaction() as tx:
        await tx.questions.disclose(sent.id, Disclosure.NAMED, desk.clock.now())
    desk.clock.advance(seconds=1)
    await desk.acts.correcting.settle(Press(question_id=sent.id, category="other", seen=0, by=priya.user_id))
    ts, _ = await asked(desk, emily, "may I take leave")
    assert not (await verdict(desk, ts)).from_memory
    ts, card = await asked(desk, kenji, "may I take leave")
    assert (await verdict(desk, ts)).from_memory
    assert texts(card).startswith("Other")


async def test_row_of_unknown_audience_counts_as_private(desk: SlackDesk) -> None:
    emily, misaki, kenji = await desk.emily(), await desk.misaki(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    (row,) = await desk.rows()
    async with desk.store.transaction() as tx:
        await tx.rows.put(row.model_copy(update={"audience": Audience.UNKNOWN}))
    mention = f"@madoguchi {LAPTOP}"
    ts, _ = await asked(desk, misaki, mention, GENERAL)
    assert not (await verdict(desk, ts, GENERAL)).from_memory
    await desk.surveying.survey()
    ts, _ = await asked(desk, misaki, mention, GENERAL)
    assert (await verdict(desk, ts, GENERAL)).from_memory


async def test_edited_question_is_answered_from_memory(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    ts, card = await asked(desk, emily, "may I take a break?")
    assert texts(card).startswith("Other")
    desk.clock.advance(seconds=1)
    await emily.edit(WATCHED, ts, LAPTOP)
    await eventually(lambda: shows(emily, ts, "Staff confirmed the same question"))
    assert (await verdict(desk, ts)).category == "labor"


async def test_words_that_lean_on_a_file_ask_model(desk: SlackDesk) -> None:
    emily, kenji = await desk.emily(), await desk.kenji()

    async def with_file(text: str) -> tuple[str, Json]:
        desk.clock.advance(seconds=1)
        sent = await emily._post("messages", channel=WATCHED, text=text, files=[{"name": "photo.png"}])
        card = await emily.answer(sent["ts"])
        await desk.settled()
        return sent["ts"], card | {"channel": WATCHED}

    for text, remembered in (("where is this", False), (LAPTOP, True)):
        ts, card = await with_file(text)
        await settle(desk, kenji, ts, card, "Labor 労務")
        ts, _ = await with_file(text)
        assert (await verdict(desk, ts)).from_memory is remembered


async def test_memory_is_counted_apart_and_left_unqueued(desk: SlackDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    emily, kenji = await desk.emily(), await desk.kenji()
    ts, card = await asked(desk, emily, LAPTOP)
    await settle(desk, kenji, ts, card, "Labor 労務")
    await asked(desk, emily, LAPTOP)
    async with desk.store.snapshot() as tx:
        assert await tx.questions.open(10) == []
        assert await tx.questions.answers(desk.clock.now().replace(day=1)) == (1, 1)
    ended = [record.__dict__["memory"] for record in caplog.records if record.getMessage() == "a question ended"]
    assert ended == [False, True]
    (row,) = await desk.rows()
    async with desk.store.transaction() as tx:
        await tx.rows.withdraw(row.id, desk.clock.now())
    async with desk.store.snapshot() as tx:
        assert len(await tx.questions.open(10)) == 1, "what it repeats no longer stands"
