"""A message with two clear questions: two questions, two verdicts, one card."""

import pytest

from bot.corrections.correcting import Correcting
from bot.corrections.hearing import Hearing
from bot.corrections.reviewing import MOST_QUESTIONS
from bot.domain.consent import Author
from bot.domain.correction import Press
from bot.domain.errors import ModelDown
from bot.domain.feedback import FeedbackKind
from bot.domain.question import Arrival, ArrivalKind, Question
from bot.questions.answering import ANSWER_TRIES
from bot.questions.arrivals import question_id
from bot.questions.delivering import Delivering
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, Fault

LEAVE, VPN = "有給の残り日数はどこで見られますか？", "VPNの接続方法を教えてください。"
BOTH = f"{LEAVE}\nあと、{VPN}"


@pytest.fixture
def desk(store: SqlStore, board: FakeAnnouncer, clock: StepClock) -> AnswerDesk:
    return AnswerDesk(store, RuleModel({"有給": "labor", "VPN": "it"}), board, clock)


async def parts(desk: AnswerDesk) -> tuple[Question, Question | None]:
    first = await desk.question()
    assert first is not None
    async with desk.store.transaction() as tx:
        return first, await tx.questions.second(first)


def edit(text: str, n: int = 2) -> Arrival:
    said = arrival(text).place.ts.replace("1.", f"{n}.")
    return arrival(text).model_copy(update={"event_id": f"Edit{n}", "kind": ArrivalKind.EDITED, "said": said})


async def deliver(desk: AnswerDesk) -> None:
    delivering = Delivering(desk.store, desk.board, desk.clock)
    while await delivering.deliver_next():
        pass


async def test_both_have_verdicts_on_one_card(desk: AnswerDesk) -> None:
    await desk.ask(arrival(BOTH))
    first, second = await parts(desk)
    assert second is not None
    (card,) = desk.board.cards[first.id]
    assert list(desk.board.cards) == [first.id], "one message answers both"
    assert [part.verdict.category for part in card.parts] == ["labor", "it"]
    assert (first.id, first.text) == (question_id(arrival(BOTH)), LEAVE)
    assert (second.text, second.part_of, second.place) == (VPN, first.id, first.place)
    assert first.card_ts == second.card_ts is not None
    async with desk.store.transaction() as tx:
        waiting = await tx.questions.waiting(MOST_QUESTIONS)
    assert {one.id for one in waiting} == {first.id, second.id}


async def test_words_of_others_are_never_split(desk: AnswerDesk) -> None:
    theirs = arrival("これです").model_copy(
        update={"quotes": (BOTH,), "authors": (Author(id="U9", channel="C1", ts="0.1"),)}
    )
    await desk.ask(theirs)
    assert (await parts(desk))[1] is None


@pytest.mark.parametrize("failures", range(1, ANSWER_TRIES))
async def test_failing_model_leaves_one_card(desk: AnswerDesk, failures: int) -> None:
    assert await desk.answering.receive(arrival(BOTH))
    classify = desk.model.classify

    async def down_for_second(*args: object) -> object:
        if args[2] == VPN and len(failed) < failures:
            failed.append(VPN)
            raise ModelDown("down")
        return await classify(*args)  # type: ignore[arg-type]

    failed: list[str] = []
    desk.model.classify = down_for_second  # type: ignore[assignment, method-assign]
    await desk.work()
    assert (desk.answers, desk.model.asked, len(failed)) == (1, [LEAVE, VPN], failures)


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_lost_answer_of_slack_leaves_one_card(desk: AnswerDesk, fault: Fault) -> None:
    desk.board.faults.add("post_card", fault)
    await desk.ask(arrival(BOTH))
    first, second = await parts(desk)
    assert second is not None
    assert (desk.answers, len(desk.board.cards), first.card_ts) == (1, 1, second.card_ts)
    assert await desk.answering.receive(arrival(BOTH)) is False, "redelivered"
    assert await desk.questions() == 2


async def test_each_has_corrections_row_and_undo(desk: AnswerDesk) -> None:
    await desk.ask(arrival(BOTH))
    first, second = await parts(desk)
    assert second is not None
    correcting = Correcting(desk.store, desk.neighbours, desk.clock)
    await correcting.settle(Press(question_id=second.id, category="other", seen=0, by="U2"))
    await deliver(desk)
    (card,) = desk.board.cards[first.id]
    assert [part.settled and part.settled.category for part in card.parts] == [None, "other"]
    async with desk.store.transaction() as tx:
        row = await tx.rows.get(second.id)
        assert await tx.rows.get(first.id) is None
    assert row is not None
    assert (row.text, row.category, row.ts) == (VPN, "other", first.place.ts)
    await correcting.settle(Press(question_id=first.id, category="labor", seen=0, by="U2"))
    await correcting.undo(second.id, 1, "U2")
    await deliver(desk)
    (card,) = desk.board.cards[first.id]
    assert [part.settled and part.settled.category for part in card.parts] == ["labor", None]


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        (BOTH, LEAVE, [LEAVE]),
        (LEAVE, BOTH, [LEAVE, VPN]),
        (
            BOTH,
            f"{LEAVE}\nあと、VPNの証明書の更新方法を教えてください。",
            [LEAVE, "VPNの証明書の更新方法を教えてください。"],
        ),
        (BOTH, VPN, [VPN]),
    ],
)
async def test_edit_adds_changes_and_takes_away(desk: AnswerDesk, before: str, after: str, texts: list[str]) -> None:
    await desk.ask(arrival(before))
    await desk.ask(edit(after))
    await deliver(desk)
    first, second = await parts(desk)
    assert [one.text for one in (first, second) if one] == texts
    (card,) = desk.board.cards[first.id]
    assert [part.question.text for part in card.parts] == texts
    assert [part.verdict.category for part in card.parts] == ["labor" if "有給" in text else "it" for text in texts]
    await desk.ask(edit(BOTH, 3))
    await deliver(desk)
    assert [part.question.text for part in desk.board.cards[first.id][0].parts] == [LEAVE, VPN]
    async with desk.store.transaction() as tx:
        assert len(await tx.questions.waiting(MOST_QUESTIONS)) == 2


async def test_edit_after_either_was_settled_changes_nothing(desk: AnswerDesk) -> None:
    await desk.ask(arrival(BOTH))
    _, second = await parts(desk)
    assert second is not None
    correcting = Correcting(desk.store, desk.neighbours, desk.clock)
    await correcting.settle(Press(question_id=second.id, category="it", seen=0, by="U2"))
    await desk.ask(edit(LEAVE))
    assert [one.text for one in await parts(desk) if one] == [LEAVE, VPN]


async def test_cry_in_either_is_answered_in_private(desk: AnswerDesk) -> None:
    await desk.ask(arrival(f"{LEAVE}\nあと、もう死にたいです。どうすればいいですか？"))
    assert (desk.answers, await desk.questions(), len(desk.board.notices)) == (0, 0, 1)


async def test_edit_into_a_cry_takes_both_away(desk: AnswerDesk) -> None:
    await desk.ask(arrival(BOTH))
    await desk.ask(edit("もう死にたいです"))
    assert (desk.answers, (await parts(desk))[1]) == (0, None)
    async with desk.store.transaction() as tx:
        assert await tx.questions.waiting(MOST_QUESTIONS) == []


async def test_feedback_counts_for_both_questions(desk: AnswerDesk) -> None:
    await desk.ask(arrival(BOTH))
    first, second = await parts(desk)
    assert second is not None
    hearing = Hearing(desk.store, desk.clock)
    for _ in range(2):
        await hearing.hear(first.id, "U1", FeedbackKind.NOT_HELPFUL)
    async with desk.store.transaction() as tx:
        assert [len(await tx.feedback.of(one.id)) for one in (first, second)] == [1, 1]
    desk.clock.advance(seconds=60)
    await deliver(desk)
    assert len(desk.board.feedback) == 1, "neither has an owner, so staff are told once"
