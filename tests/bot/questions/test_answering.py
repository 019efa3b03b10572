"""One question gets one visible answer, and every arrival ends."""

import asyncio
import itertools
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.errors import ModelRefused
from bot.domain.question import Arrival, ArrivalKind, Ending, InboxItem, Notice, Place, Question, Via
from bot.questions.answering import ANSWER_TRIES
from bot.questions.arrivals import ANSWER_LEASE, QUESTION_IDS
from bot.questions.cards import card_of
from storage.inbox import SqlInbox
from storage.questions import SqlQuestions
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, Fault


@pytest.fixture
def desk(store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock) -> AnswerDesk:
    return AnswerDesk(store, model, board, clock)


async def test_question_gets_a_card_with_the_serving_verdict(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は何日前までに申請しますか？"))
    question = await desk.question()
    assert question is not None
    assert question.card_ts
    (card,) = desk.board.cards[question.id]
    async with desk.store.transaction() as tx:
        serving = await tx.releases.serving()
        assert await card_of(tx, question) == card.model_copy(update={"question": question})
    assert serving is not None
    assert (card.verdict.category, card.verdict.release_id, card.settled) == ("labor", serving.id, None)
    assert card.verdict.reason
    assert await desk.answering.answered("T1", "C1", "1.000100") == question


async def test_question_costs_seven_statements(desk: AnswerDesk) -> None:
    await desk.ask(arrival(n=1))
    desk.answering.waiting_workers = lambda: 1
    asked = list[str]()
    event.listen(Engine, "before_cursor_execute", note := lambda _connection, _cursor, sql, *_: asked.append(sql))
    try:
        assert await desk.answering.receive(arrival("Where is the printer?", n=2))
        await desk.answering.answer_next()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert desk.answers == 2
    assert len(asked) == 7, "a round trip each: to the inbox, two before the model, two and two after it"


async def test_waiting_worker_gets_what_arrives(desk: AnswerDesk) -> None:
    desk.answering.waiting_workers = lambda: 1
    assert await desk.answering.receive(arrival(n=1))
    assert await desk.answering.receive(arrival("Where is the printer?", n=2)), "nobody waits for this one any more"
    assert await desk.worker().answer_next()
    assert desk.model.asked == ["Where is the printer?"]
    assert not await desk.worker().answer_next()
    assert not await desk.answering.answer_next(), "nothing more is known"
    assert (desk.answers, await desk.open_arrivals()) == (2, 0)


async def test_arrival_of_a_stopped_worker_is_answered(desk: AnswerDesk) -> None:
    desk.answering.waiting_workers = lambda: 1
    assert await desk.answering.receive(arrival())
    await desk.answering.hand_back()
    assert await desk.worker().answer_next()
    assert not await desk.answering.answer_next()
    assert desk.answers == 1


async def test_stored_and_sent_text_is_masked(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給の件は taro@example.com か 090-1234-5678 へ。"))
    question = await desk.question()
    assert question is not None
    assert question.text == "有給の件は [mail] か [phone] へ。"
    assert desk.model.asked == [question.text]


async def test_question_with_half_an_emoji_is_answered(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は\ud83d何日前までに申請しますか？\0"))
    question = await desk.question()
    assert question is not None
    assert question.card_ts
    assert question.text == "有給は\ufffd何日前までに申請しますか？\ufffd"
    assert desk.model.asked == [question.text]


async def test_message_that_arrives_four_times_is_answered_once(desk: AnswerDesk) -> None:
    mention, watched = arrival(), arrival(via=Via.CHANNEL).model_copy(update={"event_id": "Ev1b"})
    assert [await desk.answering.receive(one) for one in (mention, mention, watched, watched)] == [
        True,
        False,
        True,
        False,
    ]
    await desk.work()
    assert (desk.answers, await desk.questions(), len(desk.model.asked)) == (1, 1, 1)
    assert await desk.answering.receive(mention) is False


async def test_burst_stores_each_arrival_once(desk: AnswerDesk) -> None:
    burst = [arrival(n=n) for n in range(150)] * 2
    new = await asyncio.gather(*map(desk.answering.receive, burst))
    assert (new.count(True), new.count(False)) == (150, 150)
    assert await desk.open_arrivals() == 150


async def test_two_questions_get_two_answers(desk: AnswerDesk) -> None:
    for n in (1, 2):
        assert await desk.answering.receive(arrival(n=n))
    await desk.work()
    assert desk.answers == 2


@pytest.mark.parametrize("failures", range(1, ANSWER_TRIES))
async def test_answer_is_retried_while_the_model_is_down(desk: AnswerDesk, failures: int) -> None:
    desk.model.fail(failures)
    await desk.ask(arrival())
    assert desk.answers == 1
    assert desk.board.notices == []


async def test_asker_is_told_within_a_minute_of_failure(desk: AnswerDesk) -> None:
    desk.model.fail(ANSWER_TRIES)
    before = desk.clock.now()
    await desk.ask(arrival())
    assert desk.answers == 0
    assert desk.board.notices == [("1.000100", Notice.FAILED)]
    assert (desk.clock.now() - before).total_seconds() <= 60


async def test_refusing_model_is_asked_once(desk: AnswerDesk) -> None:
    desk.model.fail(1, ModelRefused("no such model"))
    await desk.ask(arrival())
    assert len(desk.model.asked) == 1
    assert desk.board.notices == [("1.000100", Notice.FAILED)]


FAULTS = [
    *itertools.product(["post_card"], [Fault.DOWN, Fault.REFUSED, Fault.LOST], range(1, ANSWER_TRIES)),
    ("post_card", Fault.DOWN, 2 * ANSWER_TRIES),
    ("post_card", Fault.LOST, 2 * ANSWER_TRIES),
]


@pytest.mark.parametrize(("verb", "fault", "times"), FAULTS)
async def test_slack_faults_end_in_one_answer_or_notice(desk: AnswerDesk, verb: str, fault: Fault, times: int) -> None:
    desk.board.faults.add(verb, fault, times)
    await desk.ask(arrival())
    notices = len(desk.board.notices)
    assert (desk.answers, notices) == ((0, 1) if fault is Fault.REFUSED else (1, 0))
    assert len(desk.model.asked) == 1, "the verdict of the first try is kept"


async def test_post_lost_at_the_last_try_is_found(desk: AnswerDesk) -> None:
    """Regression: the asker got a failure notice beside a working card."""
    desk.board.faults.add("post_card", Fault.DOWN, ANSWER_TRIES - 1)
    desk.board.faults.add("post_card", Fault.LOST)
    await desk.ask(arrival())
    question = await desk.question()
    assert question is not None
    assert question.card_ts
    assert (desk.answers, desk.board.notices) == (1, [])


async def test_posted_card_counts_after_our_own_errors(desk: AnswerDesk) -> None:
    """The database may fail at each try between the post and the storing of its ts."""
    post_card = desk.board.post_card

    async def post_then_fail(card: Card, *, again: bool) -> str:
        if not desk.answers:
            await post_card(card, again=again)
        raise ConnectionResetError

    desk.board.post_card = post_then_fail  # type: ignore[method-assign]
    await desk.ask(arrival())
    question = await desk.question()
    assert question is not None
    assert question.card_ts
    assert (desk.answers, desk.board.notices) == (1, [])


async def test_notice_is_retried_until_slack_is_back(desk: AnswerDesk) -> None:
    desk.model.fail(ANSWER_TRIES)
    desk.board.faults.add("post_notice", Fault.DOWN, 3)
    desk.model.fail(3)
    await desk.ask(arrival())
    assert (desk.answers, desk.board.notices) == (0, [("1.000100", Notice.FAILED)])


async def test_arrival_ends_when_slack_refuses_the_notice(desk: AnswerDesk, caplog: pytest.LogCaptureFixture) -> None:
    desk.board.faults.add("post_card", Fault.REFUSED)
    desk.board.faults.add("post_notice", Fault.REFUSED)
    await desk.ask(arrival())
    assert (desk.answers, desk.board.notices) == (0, [])
    assert "could not be told" in caplog.text
    assert "有給" not in caplog.text


async def test_next_worker_finishes_after_a_crash(desk: AnswerDesk) -> None:
    """The first worker posts the card and dies before it stores that."""
    assert await desk.answering.receive(arrival())
    desk.board.faults.add("post_card", Fault.KILLED)
    with pytest.raises(asyncio.CancelledError):
        await desk.worker().answer_next()
    assert not await desk.answering.answer_next(), "its lease still holds"
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    await desk.work()
    assert desk.answers == 1
    assert len(desk.model.asked) == 1


async def test_our_own_error_is_retried_then_told(desk: AnswerDesk, caplog: pytest.LogCaptureFixture) -> None:
    desk.model.rules = {"有給": "no such category"}
    desk.board.post_card = None  # type: ignore[method-assign,assignment]  # a programming error
    await desk.ask(arrival())
    assert desk.board.notices == [("1.000100", Notice.FAILED)]
    assert caplog.text.count("TypeError") == ANSWER_TRIES


@pytest.mark.parametrize(
    ("change", "notice"),
    [
        ({"text": ""}, Notice.EMPTY),
        ({"text": "", "has_files": True}, Notice.FILES_ONLY),
        ({"text": ":tada:"}, Notice.EMOJI_ONLY),
        ({"text": "有給の秘密", "outsider": True}, Notice.OUTSIDER),
    ],
)
async def test_non_questions_get_a_notice_and_no_model(
    desk: AnswerDesk, change: dict[str, object], notice: Notice
) -> None:
    desk.board.faults.add("post_notice", Fault.LOST)
    await desk.ask(arrival().model_copy(update=change))
    assert desk.board.notices == [("1.000100", notice)]
    assert (desk.model.asked, await desk.questions()) == ([], 0)


async def test_outsiders_text_is_never_stored(desk: AnswerDesk) -> None:
    assert await desk.answering.receive(arrival("有給の秘密").model_copy(update={"outsider": True}))
    async with desk.store.transaction() as tx:
        item = await tx.inbox.claim("somebody", desk.clock.now(), ANSWER_LEASE)
    assert item is not None
    assert item.arrival.text == ""


async def test_emoji_in_a_watched_channel_get_no_notice(desk: AnswerDesk) -> None:
    await desk.ask(arrival(":tada:", via=Via.CHANNEL))
    assert desk.board.notices == []


async def test_long_question_is_cut_and_marked(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給" + "あ" * 10_000))
    question = await desk.question()
    assert question is not None
    assert question.cut
    assert len(question.text) == 6_000


# --- shortcuts


async def test_shortcut_on_answered_message_adds_no_answer(desk: AnswerDesk) -> None:
    await desk.ask(arrival())
    await desk.ask(arrival(via=Via.SHORTCUT).model_copy(update={"event_id": "shortcut:1"}))
    assert desk.answers == 1


async def test_shortcut_answers_a_failed_message(desk: AnswerDesk) -> None:
    desk.model.fail(ANSWER_TRIES)
    await desk.ask(arrival())
    assert await desk.answering.answered("T1", "C1", "1.000100") is None
    await desk.ask(arrival(via=Via.SHORTCUT).model_copy(update={"event_id": "shortcut:1"}))
    assert (desk.answers, await desk.questions()) == (1, 1)


async def test_shortcut_waits_for_the_pending_answer(desk: AnswerDesk) -> None:
    assert await desk.answering.receive(arrival())
    async with desk.store.transaction() as tx:
        assert await tx.inbox.claim("another worker", desk.clock.now(), ANSWER_LEASE)
    for n in (1, 2):
        shortcut = arrival(via=Via.SHORTCUT).model_copy(update={"event_id": f"shortcut:{n}"})
        assert await desk.answering.receive(shortcut)
    for _ in range(2):
        assert await desk.answering.answer_next()
    assert desk.model.asked == []
    desk.clock.advance(seconds=ANSWER_LEASE.total_seconds())
    await desk.work()
    assert (desk.answers, len(desk.model.asked)) == (1, 1)


# --- edits


def edited(text: str, n: int = 1, version: int = 2) -> Arrival:
    edit = {"event_id": f"edit:{n}:{text}", "kind": ArrivalKind.EDITED, "said": f"{n}.000{version}00"}
    return arrival(text, n).model_copy(update=edit)


async def test_edit_is_classified_anew(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は？"))
    await desk.ask(edited("PC が遅い"))
    question = await desk.question()
    assert question is not None
    assert question.text == "PC が遅い"
    async with desk.store.transaction() as tx:
        card = await card_of(tx, question)
        waiting = await tx.outbox.lag(desk.clock.now())
    assert card is not None
    assert card.verdict.category == "it"
    assert waiting[0] == 1
    assert desk.answers == 1


async def test_edit_without_new_text_is_not_classified(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は？"))
    for text in ("有給は？", "", ":tada:"):
        await desk.ask(edited(text))
    await desk.ask(edited("PC が遅い", n=2))  # no question has this ts
    assert len(desk.model.asked) == 1


async def test_settled_question_keeps_its_text_despite_edits(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は？"))
    press = Press(question_id=QUESTION_OF_EV1, category=None, seen=0, by="U2")
    await Correcting(desk.store, MemoryNeighbours(), desk.clock).settle(press)
    await desk.ask(edited("PC が遅い"))
    question = await desk.question()
    assert question is not None
    assert question.text == "有給は？"


async def test_settlement_during_an_edit_wins(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は？"))
    press = Press(question_id=QUESTION_OF_EV1, category="it", seen=0, by="U2")
    classify = desk.model.classify

    async def settle_then_classify(*asked: Any) -> Any:
        await Correcting(desk.store, MemoryNeighbours(), desk.clock).settle(press)
        return await classify(*asked)

    desk.model.classify = settle_then_classify  # type: ignore[method-assign,assignment]
    await desk.ask(edited("PC が遅い"))
    async with desk.store.transaction() as tx:
        row, question = await tx.rows.get(QUESTION_OF_EV1), await tx.questions.get(QUESTION_OF_EV1)
        assert question is not None
        card = await card_of(tx, question)
    assert row is not None
    assert card is not None
    assert row.text == question.text == "有給は？"
    assert card.verdict.category == "labor"


async def test_edit_before_its_question_becomes_the_question(desk: AnswerDesk) -> None:
    """Slack delivers a lost event again after one to five minutes, but a later edit at once."""
    ts = f"{desk.clock.now().timestamp():.6f}"
    first, later = (
        one.model_copy(update={"place": one.place.model_copy(update={"ts": ts})})
        for one in (arrival("有給は？"), edited("PC が遅い"))
    )
    await desk.ask(later)
    await desk.ask(first)
    async with desk.store.transaction() as tx:
        question = await tx.questions.at("T1", "C1", ts)
    assert question is not None
    assert question.text == "PC が遅い"
    assert (desk.answers, len(desk.model.asked)) == (1, 1)


async def test_edit_answered_as_question_is_retried(desk: AnswerDesk) -> None:
    """Regression: the question was stored without a card, so the retried edit seemed to change nothing."""
    ts = f"{desk.clock.now().timestamp():.6f}"
    edit = edited("PC が遅い")
    edit = edit.model_copy(update={"place": edit.place.model_copy(update={"ts": ts}), "said": ts})
    assert await desk.answering.receive(edit)
    desk.model.fail(1)
    await desk.work()
    assert (desk.answers, desk.board.notices) == (1, [])


async def test_one_answer_in_whatever_order_edits_arrive(desk: AnswerDesk) -> None:
    """Regression: the edit that stood for the question gave way to a newer one, which waited for its answer."""
    asked = ("有給は？", "PC が遅い", "有給の残りは？")
    cases = [*itertools.product(itertools.permutations(range(3)), (0, 1), (False, True))]
    for n, (order, failures, worked_between) in enumerate(cases):
        desk.clock.advance(seconds=60)
        ts = f"{desk.clock.now().timestamp():.6f}"
        versions = [arrival(asked[0], n), *(edited(text, n, version) for version, text in enumerate(asked[1:], 1))]
        for version in order:
            said = f"{float(ts) + version:.6f}"
            place = versions[version].place.model_copy(update={"ts": ts})
            assert await desk.answering.receive(versions[version].model_copy(update={"place": place, "said": said}))
            if version == order[0]:
                desk.model.fail(failures)
            if worked_between:
                await desk.answering.answer_next()
        await desk.work()
        async with desk.store.transaction() as tx:
            question = await tx.questions.at("T1", "C1", ts)
        assert question, (order, failures, worked_between)
        assert (question.text, bool(question.card_ts)) == (asked[2], True), (order, failures, worked_between)
    assert (desk.answers, desk.board.notices) == (len(cases), [])


async def test_edit_survives_if_its_question_arrives_concurrently(desk: AnswerDesk) -> None:
    """Another worker stores the question after the edit was checked and before it is taken up as a question."""
    ts = f"{desk.clock.now().timestamp():.6f}"
    first, later = (
        one.model_copy(update={"place": one.place.model_copy(update={"ts": ts}), "said": said})
        for one, said in ((arrival("有給は？"), ts), (edited("PC が遅い"), f"{float(ts) + 1:.6f}"))
    )
    take_up, other = desk.answering._take_up, desk.worker()

    async def answer_question_first(item: InboxItem) -> Any:
        if await other.receive(first):
            assert await other.answer_next()
        return await take_up(item)

    desk.answering._take_up = answer_question_first  # type: ignore[method-assign]
    await desk.ask(later)
    async with desk.store.transaction() as tx:
        question = await tx.questions.at("T1", "C1", ts)
    assert question is not None
    assert question.text == "PC が遅い"
    assert desk.answers == 1


async def test_asker_is_told_when_an_edit_fails(desk: AnswerDesk) -> None:
    await desk.ask(arrival("有給は？"))
    desk.model.fail(ANSWER_TRIES)
    await desk.ask(edited("PC が遅い"))
    assert desk.board.notices == [("1.000100", Notice.FAILED)]


async def test_edit_waits_for_a_crashed_workers_lease(desk: AnswerDesk) -> None:
    """The question's worker died, so the question is held until the lease expires."""
    assert await desk.answering.receive(arrival("有給は？"))
    desk.board.faults.add("post_card", Fault.KILLED)
    with pytest.raises(asyncio.CancelledError):
        await desk.worker().answer_next()
    await desk.ask(edited("PC が遅い"))
    question = await desk.question()
    assert question is not None
    assert question.text == "PC が遅い"


@pytest.mark.parametrize("late", [False, True])
async def test_newest_edit_wins_over_a_late_older_one(desk: AnswerDesk, *, late: bool) -> None:
    await desk.ask(arrival("有給は？"))
    old, new = edited("PC が遅い", version=2), edited("有給の残りは？", version=3)
    if late:
        await desk.ask(new)
        await desk.ask(old)
    else:
        classify = desk.model.classify

        async def newer_edit_then_classify(*asked: Any) -> Any:
            await desk.answering.receive(new)
            return await classify(*asked)

        desk.model.classify = newer_edit_then_classify  # type: ignore[method-assign,assignment]
        await desk.ask(old)
    question = await desk.question()
    assert question is not None
    assert question.text == "有給の残りは？"


async def test_edit_waits_for_the_first_answer(desk: AnswerDesk) -> None:
    desk.model.fail(2)
    assert await desk.answering.receive(arrival("有給は？"))
    assert await desk.answering.answer_next()
    await desk.ask(edited("PC が遅い"))
    question = await desk.question()
    assert question is not None
    assert question.text == "PC が遅い"
    assert desk.answers == 1


async def test_edit_of_a_failed_question_ends(desk: AnswerDesk) -> None:
    desk.model.fail(ANSWER_TRIES)
    await desk.ask(arrival("有給は？"))
    await desk.ask(edited("PC が遅い"))
    assert desk.board.notices == [("1.000100", Notice.FAILED)], "the asker is told only once"


QUESTION_OF_EV1 = uuid.uuid5(QUESTION_IDS, "Ev1").hex


async def test_edit_is_kept_if_answered_between_reads(desk: AnswerDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL each statement sees the newest commit, so the first read may be older than the second."""
    await desk.ask(arrival())
    at, of = SqlQuestions.at, SqlInbox.of
    reads = itertools.count()

    async def at_before(questions: SqlQuestions, *place: str) -> Question | None:
        question = await at(questions, *place)
        return question.model_copy(update={"card_ts": None}) if question and not next(reads) else question

    async def of_before(inbox: SqlInbox, place: Place) -> list[tuple[Arrival, Ending | None]]:
        arrivals = await of(inbox, place)
        return arrivals if next(reads) else [(one, None) for one, _ in arrivals]

    monkeypatch.setattr(SqlQuestions, "at", at_before)
    monkeypatch.setattr(SqlInbox, "of", of_before)
    await desk.ask(edited("PC が動きません"))
    question = await desk.question()
    assert question is not None
    assert question.text == "PC が動きません"
