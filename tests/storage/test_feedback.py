from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.feedback import FeedbackKind
from bot.domain.signal import Signal, SignalKind, standing
from bot.ports import Store
from tests.storage.things import NOW, add_answered_question, feedback, verdict


async def test_newest_feedback_counts(store: Store) -> None:
    asked = feedback(2, FeedbackKind.OTHER).model_copy(update={"words": "まだ困っています"})
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.feedback.add(feedback())
        await transaction.feedback.add(asked)
        assert await transaction.feedback.of("q1") == [feedback(), asked]
        assert await transaction.feedback.newest(["q1", "q2"]) == {"q1": asked}


async def test_two_presses_cannot_be_same_feedback(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.feedback.add(feedback())
    with pytest.raises(IntegrityError):
        await add_once_more(store)


async def add_once_more(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.feedback.add(feedback())


async def test_open_questions_begin_with_waiting_askers(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.questions.save_card("q1", "9.000100")
        await transaction.feedback.add(feedback())
        assert [q.id for q, _ in await transaction.questions.open(1)] == ["q1"]


async def test_late_event_never_undoes_newer_signal(store: Store) -> None:
    taken = Signal(question_id="q1", message_ts="1.1", kind=SignalKind.TAKEN, by="U5", at=NOW)
    removed = taken.model_copy(update={"withdrawn": True, "at": NOW + timedelta(seconds=1)})
    done = taken.model_copy(update={"kind": SignalKind.DONE, "at": NOW - timedelta(hours=1)})
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        assert await transaction.signals.put(taken)
        assert await transaction.signals.put(removed)
        assert not await transaction.signals.put(taken)
        assert await transaction.signals.of("q1") == [removed]
        await transaction.signals.put(done)
        await transaction.signals.put(taken.model_copy(update={"at": NOW + timedelta(seconds=2)}))
        assert standing(await transaction.signals.of("q1")) == done


async def test_question_is_found_by_its_card(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.questions.save_card("q1", "9.000100")
        by_card = await transaction.questions.of_message("T1", "C1", "9.000100")
        assert by_card
        assert by_card == await transaction.questions.of_message("T1", "C1", "1.000100")
        assert await transaction.questions.of_message("T1", "C2", "9.000100") is None


async def test_next_likely_categories_are_kept(store: Store) -> None:
    told = verdict(2).model_copy(update={"others": ("other", "it")})
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        before = await transaction.questions.verdict("q1")
        assert before
        assert before.others == ()
        await transaction.questions.add_verdict(told)
        assert await transaction.questions.verdict("q1") == told
