from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from bot.domain.correction import Kind
from bot.domain.question import Place
from bot.ports import Store
from tests.storage.things import ask, correction, question, verdict


async def test_a_question_comes_out_as_it_went_in(store: Store) -> None:
    threaded = question(2).model_copy(
        update={"place": Place(team="T1", channel="C2", ts="2.1", thread_ts="1.1"), "cut": True, "card_ts": "3.1"}
    )
    async with store.transaction() as transaction:
        assert await transaction.questions.add(question())
        assert await transaction.questions.add(threaded)
        assert await transaction.questions.get("q1") == question()
        assert await transaction.questions.get("q2", lock=True) == threaded
        assert await transaction.questions.at("T1", "C2", "2.1") == threaded
        assert await transaction.questions.count() == 2


async def test_what_is_unknown_is_none(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.questions.get("q1", lock=True) is None
        assert await transaction.questions.at("T1", "C1", "1.000100") is None
        assert await transaction.questions.verdict("q1") is None
        assert await transaction.corrections.of("q1") == []


async def test_a_moment_keeps_its_instant_and_comes_back_in_utc(store: Store) -> None:
    tokyo = datetime(2026, 11, 22, 8, 0, tzinfo=timezone(timedelta(hours=9)))
    async with store.transaction() as transaction:
        await transaction.questions.add(question().model_copy(update={"asked_at": tokyo}))
        kept = await transaction.questions.get("q1")
    assert kept is not None
    assert kept.asked_at == tokyo
    assert kept.asked_at.utcoffset() == timedelta(0)


async def test_a_moment_without_a_time_zone_is_refused(store: Store) -> None:
    naive = question().model_copy(update={"asked_at": datetime(2026, 1, 1)})  # noqa: DTZ001 - the point of this test
    with pytest.raises(StatementError, match="time zone"):
        async with store.transaction() as transaction:
            await transaction.questions.add(naive)


async def test_one_message_is_one_question(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.questions.add(question())
        assert not await transaction.questions.add(question().model_copy(update={"id": "q2", "text": "other"}))
        assert await transaction.questions.count() == 1
        assert await transaction.questions.get("q1") == question()


async def test_an_edit_and_a_card_are_kept(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.questions.add(question())
        await transaction.questions.add(question(2))
        await transaction.questions.edit("q1", "changed \0", cut=True)
        await transaction.questions.save_card("q1", "9.000100")
        kept = await transaction.questions.get("q1")
        assert kept == question().model_copy(
            update={"text": "changed \N{REPLACEMENT CHARACTER}", "cut": True, "card_ts": "9.000100"}
        )
        assert await transaction.questions.get("q2") == question(2)


async def test_the_newest_verdict_is_the_one_added_last(store: Store) -> None:
    async with store.transaction() as transaction:
        await ask(transaction)
        assert await transaction.questions.verdict("q1") == verdict()
        unsure = verdict(2).model_copy(update={"confidence": None})
        await transaction.questions.add_verdict(unsure)
        assert await transaction.questions.verdict("q1") == unsure


async def test_corrections_come_out_as_they_went_in_oldest_first(store: Store) -> None:
    second = correction(2, Kind.UNDO).model_copy(update={"reason": "間違えた"})
    async with store.transaction() as transaction:
        await ask(transaction)
        await transaction.corrections.add(second)
        await transaction.corrections.add(correction(1))
        assert await transaction.corrections.of("q1") == [correction(1), second]


async def test_two_presses_cannot_both_be_number_one(store: Store) -> None:
    async with store.transaction() as transaction:
        await ask(transaction)
        await transaction.corrections.add(correction(1))
    with pytest.raises(IntegrityError):
        async with store.transaction() as transaction:
            await transaction.corrections.add(correction(1, Kind.AGREE))
    async with store.transaction() as transaction:
        assert await transaction.corrections.of("q1") == [correction(1)]


async def test_a_verdict_needs_its_question_and_its_release(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.questions.add(question())
    with pytest.raises(DBAPIError):
        async with store.transaction() as transaction:
            await transaction.questions.add_verdict(verdict())
