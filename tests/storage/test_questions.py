from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from bot.domain.audience import Audience
from bot.domain.consent import Author, Consent, answered
from bot.domain.correction import CorrectionKind
from bot.domain.evidence import SettledAnswer, thousandths
from bot.domain.question import Place, Via
from bot.domain.scorecard import Result
from bot.domain.shadow import Shadow, ShadowComparison
from bot.ports import Store
from storage.database import Database
from storage.store import SqlTransaction
from storage.tables import questions, verdicts
from tests.storage.plans import plans_of
from tests.storage.things import NOW, add_answered_question, correction, question, row, verdict


async def test_question_is_read_as_written(store: Store) -> None:
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


async def test_unknown_ids_find_nothing(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.questions.get("q1", lock=True) is None
        assert await transaction.questions.at("T1", "C1", "1.000100") is None
        assert await transaction.questions.verdict("q1") is None
        assert await transaction.corrections.of("q1") == []


async def test_datetime_keeps_its_instant_and_becomes_utc(store: Store) -> None:
    tokyo = datetime(2026, 11, 22, 8, 0, tzinfo=timezone(timedelta(hours=9)))
    async with store.transaction() as transaction:
        await transaction.questions.add(question().model_copy(update={"asked_at": tokyo}))
        kept = await transaction.questions.get("q1")
    assert kept is not None
    assert kept.asked_at == tokyo
    assert kept.asked_at.utcoffset() == timedelta(0)


async def test_datetime_without_time_zone_is_refused(store: Store) -> None:
    naive = question().model_copy(update={"asked_at": datetime(2026, 1, 1)})  # noqa: DTZ001 - the point of this test
    with pytest.raises(StatementError, match="time zone"):
        async with store.transaction() as transaction:
            await transaction.questions.add(naive)


async def test_message_becomes_only_one_question(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.questions.add(question())
        assert not await transaction.questions.add(question().model_copy(update={"id": "q2", "text": "other"}))
        assert await transaction.questions.count() == 1
        assert await transaction.questions.get("q1") == question()


async def test_edit_and_card_are_kept(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.questions.add(question())
        await transaction.questions.add(question(2))
        await transaction.questions.edit(question().model_copy(update={"text": "changed \0", "cut": True}))
        await transaction.questions.save_card("q1", "9.000100")
        kept = await transaction.questions.get("q1")
        assert kept == question().model_copy(
            update={"text": "changed \N{REPLACEMENT CHARACTER}", "cut": True, "card_ts": "9.000100"}
        )
        assert await transaction.questions.get("q2") == question(2)


async def test_newest_verdict_is_the_one_added_last(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        assert await transaction.questions.verdict("q1") == verdict()
        unsure = verdict(2).model_copy(update={"confidence": None})
        await transaction.questions.add_verdict(unsure)
        assert await transaction.questions.verdict("q1") == unsure


async def test_corrections_are_read_oldest_first(store: Store) -> None:
    second = correction(2, CorrectionKind.UNDO).model_copy(update={"reason": "間違えた"})
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.corrections.add(second)
        await transaction.corrections.add(correction(1))
        assert await transaction.corrections.of("q1") == [correction(1), second]


async def test_two_corrections_cannot_share_a_number(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.corrections.add(correction(1))
    with pytest.raises(IntegrityError):
        async with store.transaction() as transaction:
            await transaction.corrections.add(correction(1, CorrectionKind.AGREE))
    async with store.transaction() as transaction:
        assert await transaction.corrections.of("q1") == [correction(1)]


async def test_verdict_needs_its_question_and_its_release(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.questions.add(question())
    with pytest.raises(DBAPIError):
        async with store.transaction() as transaction:
            await transaction.questions.add_verdict(verdict())


async def test_open_questions_are_answered_and_not_settled(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.questions.add(question(2))
        assert await transaction.questions.open(10) == []
        await transaction.questions.save_card("q1", "9.1")
        carded = question().model_copy(update={"card_ts": "9.1"})
        assert await transaction.questions.open(10) == [(carded, verdict())]
        await transaction.questions.settle("q1", "labor")
        assert await transaction.questions.open(10) == []
        await transaction.questions.settle("q1", None)
        assert await transaction.questions.open(10) == [(carded, verdict())]


async def test_contested_pairs_are_unordered_and_need_two_people(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        for seq, (by, category) in enumerate([("U1", "hr"), ("U1", "it"), ("U2", "hr"), ("U3", "it")], start=1):
            added = correction(seq).model_copy(update={"by": by, "category": category})
            await transaction.corrections.add(added)
        assert await transaction.corrections.contested() == {("hr", "it"): 2}


async def test_shadow_is_compared_with_verdict_and_settled_category(store: Store) -> None:
    shadow = Shadow(question_id="q1", release_id="r1", category="it", confidence=0.5, tokens_in=5, tokens_out=1, at=NOW)
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.questions.add_verdict(verdict(2).model_copy(update={"category": "other"}))
        assert await transaction.shadows.compared("r1") == []
        await transaction.shadows.put(shadow)
        comparison = ShadowComparison(question_id="q1", served="other", shadow="it", settled=None)
        assert await transaction.shadows.compared("r1") == [comparison]
        await transaction.questions.settle("q1", "labor")
        assert await transaction.shadows.compared("r1") == [comparison.model_copy(update={"settled": "labor"})]


async def test_settled_answers_follow_the_newest_correction(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        assert await transaction.corrections.settled_answers() == {}
        assert await transaction.questions.count_by_confidence() == {"r1": {thousandths(verdict().confidence): 1}}
        await transaction.corrections.add(correction())
        changed = SettledAnswer(release_id="r1", category="labor", confidence=verdict().confidence, settled="other")
        assert await transaction.corrections.settled_answers() == {"q1": changed}
        await transaction.corrections.add(correction(2, CorrectionKind.UNDO))
        assert await transaction.corrections.settled_answers() == {}
        remembered = verdict(2).model_copy(update={"settled_row": "q0", "row_settled_at": NOW})
        await transaction.questions.add_verdict(remembered)
        await transaction.corrections.add(correction(3).model_copy(update={"verdict_id": "v2"}))
        of_memory = changed.model_copy(update={"release_id": None})
        assert await transaction.corrections.settled_answers() == {"q1": of_memory}
        assert await transaction.questions.count_by_confidence() == {}
        unsure = verdict(3).model_copy(update={"confidence": None})
        await transaction.questions.add_verdict(unsure)
        assert await transaction.questions.count_by_confidence() == {"r1": {None: 1}}


async def test_verdict_of_memory_is_counted_on_its_own(store: Store) -> None:
    shadow = Shadow(question_id="q1", release_id="r1", category="it", confidence=0.5, tokens_in=5, tokens_out=1, at=NOW)
    repeats = {"settled_row": "q0", "row_settled_at": NOW, "confidence": None, "tokens_in": 0, "tokens_out": 0}
    remembered = verdict(2).model_copy(update=repeats)
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.questions.save_card("q1", "9.1")
        await transaction.shadows.put(shadow)
        assert await transaction.questions.answers(NOW) == (0, 1)
        await transaction.questions.add_verdict(remembered)
        assert await transaction.questions.verdict("q1") == remembered
        assert await transaction.shadows.compared("r1") == []
        assert await transaction.questions.answers(NOW) == (1, 0)
        assert await transaction.questions.answers(NOW + timedelta(seconds=1)) == (0, 0)
        live = {"local/base": (verdict().tokens_in, verdict().tokens_out)}
        assert await transaction.questions.tokens(NOW, live=True) == live
        assert len(await transaction.questions.open(10)) == 1, "no row stands behind it"
        await transaction.rows.put(row("q0"))
        assert await transaction.questions.open(10) == []
        await transaction.rows.put(row("q0", "other"))
        assert len(await transaction.questions.open(10)) == 1
        await transaction.rows.put(row("q0"))
        await transaction.rows.withdraw("q0", NOW)
        assert len(await transaction.questions.open(10)) == 1


async def test_results_and_shadows_are_kept_and_counted(store: Store) -> None:
    result = Result(
        release_id="r1", text_key="k", category="hr", confidence=None, latency_ms=3, tokens_in=10, tokens_out=2, at=NOW
    )
    shadow = Shadow(question_id="q1", release_id="r1", category="it", confidence=0.5, tokens_in=5, tokens_out=1, at=NOW)
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.results.put([result])
        await transaction.results.put([result.model_copy(update={"category": "it"})])
        assert await transaction.results.of("r1", None) == {"k": result.model_copy(update={"category": "it"})}
        await transaction.shadows.put(shadow)
        assert await transaction.shadows.of("r1") == [shadow]
        assert await transaction.shadows.of("r1", since=NOW + timedelta(seconds=1)) == []
        answer = verdict()
        tokens = {"local/base": (answer.tokens_in + 15, answer.tokens_out + 3)}
        assert await transaction.questions.tokens(NOW) == tokens
        assert await transaction.questions.tokens(NOW + timedelta(days=1)) == {}


AUTHOR = Author(id="U5", channel="C9", ts="1.000100")


async def test_authors_and_their_answers_are_kept(store: Store) -> None:
    quoting = question().model_copy(update={"authors": (AUTHOR,)})
    async with store.transaction() as transaction:
        await transaction.questions.add(quoting)
        assert await transaction.questions.get("q1") == quoting
        agreed = quoting.model_copy(update={"authors": answered(quoting.authors, "U5", Consent.YES)})
        await transaction.questions.edit(agreed)
    async with store.transaction() as transaction:
        assert await transaction.questions.get("q1") == agreed
        assert not agreed.withheld


async def test_database_refuses_row_of_withheld_text(store: Store) -> None:
    """Programs before revision 0006 do not know that a text is withheld."""
    async with store.transaction() as transaction:
        await transaction.questions.add(question().model_copy(update={"authors": (AUTHOR,)}))
    with pytest.raises(DBAPIError, match="has not agreed"):
        async with store.transaction() as transaction:
            await transaction.rows.put(row("q1"))
    async with store.transaction() as transaction:
        await transaction.questions.edit(question())
        await transaction.rows.put(row("q1"))
        await transaction.questions.edit(question().model_copy(update={"authors": (AUTHOR,)}))
        await transaction.rows.withdraw("q1", NOW)
    with pytest.raises(DBAPIError, match="has not agreed"):
        async with store.transaction() as transaction:
            await transaction.rows.put(row("q1"))


async def test_judged_answers_say_whether_they_were_right(store: Store) -> None:
    async with store.transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.corrections.add(correction(1, CorrectionKind.AGREE))
        assert await transaction.corrections.judged(NOW - timedelta(days=1)) == [(correction().at, True)]
        await transaction.corrections.add(correction(2, CorrectionKind.CHANGE))
        assert [right for _, right in await transaction.corrections.judged(NOW - timedelta(days=1))] == [False]
        assert await transaction.corrections.judged(NOW + timedelta(days=1)) == []


async def test_second_question_shares_message_and_card(store: Store) -> None:
    first = question()
    second = first.second("VPNは？")
    async with store.transaction() as tx:
        assert await tx.questions.add(first)
        assert await tx.questions.second(first) is None
        await tx.questions.put_second(second)
        await tx.questions.save_card(first.id, "9.1")
        await tx.questions.save_card(second.id, "9.1")
        kept = second.model_copy(update={"card_ts": "9.1"})
        assert await tx.questions.second(first) == kept
        assert await tx.questions.get(second.id) == kept, "the ts is the message's"
        assert await tx.questions.at("T1", "C1", first.place.ts) == first.model_copy(update={"card_ts": "9.1"})
        assert await tx.questions.of_message("T1", "C1", "9.1") == first.model_copy(update={"card_ts": "9.1"})
        assert [one.id for one in await tx.questions.last_of("U1", 5)] == [first.id, second.id]


async def test_dropped_second_question_may_return(store: Store) -> None:
    first = question().model_copy(update={"via": Via.CHANNEL, "audience": Audience.PUBLIC, "card_ts": "9.1"})
    async with store.transaction() as tx:
        await tx.questions.add(first)
        await tx.questions.put_second(first.second("VPNは？"))
        await tx.questions.drop_second(first)
        assert await tx.questions.second(first) is None
        assert [one.id for one in await tx.questions.waiting(9)] == [first.id]
        assert [one.id for one in await tx.questions.last_of("U1", 5)] == [first.id]
        forgotten = await tx.questions.get(first.second_id)
        assert forgotten is not None
        assert forgotten.text == ""
        await tx.questions.put_second(first.second("社員証は？"))
        assert await tx.questions.second(first) == first.second("社員証は？")
        assert len(await tx.questions.waiting(9)) == 2


async def test_waiting_questions_are_found_without_reading_all_answers(database: Database) -> None:
    async with database.begin() as connection:
        transaction = SqlTransaction(connection)
        await add_answered_question(transaction)
        asked, answered = question().model_dump(exclude={"place", "authors"}), verdict().model_dump()
        asked |= question().place.model_dump() | {"card_ts": "9.1"}
        await connection.execute(insert(questions), [asked | {"id": f"o{n}", "ts": f"o{n}"} for n in range(3000)])
        many = [answered | {"id": f"o{n}", "question_id": f"o{n}"} for n in range(3000)]
        await connection.execute(insert(verdicts), many)
        assert len(await transaction.questions.waiting(10)) == 10
        for plan in await plans_of(connection, lambda: transaction.questions.waiting(10)):
            assert "Seq Scan on verdicts" not in plan
            assert "SCAN verdicts" not in plan
