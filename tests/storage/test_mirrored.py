"""Notes for the mirror: each is written in the transaction of its change."""

from datetime import timedelta

import pytest

from bot.domain.mirrored import MIRROR_TOPIC
from bot.domain.shadow import Shadow
from bot.ports import Store, Transaction
from storage.database import Database
from storage.store import SqlStore
from tests.storage.things import NOW, add_answered_question, correction, row

SHADOW = Shadow(question_id="q1", release_id="r1", category="other", confidence=None, tokens_in=9, tokens_out=3, at=NOW)


@pytest.fixture
def mirrored(database: Database) -> Store:
    return SqlStore(database, mirrored=True)


async def make_changes(tx: Transaction) -> None:
    await add_answered_question(tx)
    await tx.shadows.put(SHADOW)
    await tx.corrections.add(correction())
    await tx.rows.put(row(), row("q2"))
    await tx.rows.withdraw("q1", NOW)


async def test_each_change_is_noted_in_order(mirrored: Store) -> None:
    async with mirrored.transaction() as tx:
        await make_changes(tx)
        notes = await tx.outbox.page(MIRROR_TOPIC, 0, 100)
        assert [(note.key, note.payload) for note in notes] == [
            ("q1", {"change": "verdict", "verdict": "v1"}),
            ("q1", {"change": "shadow", "release": "r1"}),
            ("q1", {"change": "correction", "seq": "1"}),
            ("q1", {"change": "row"}),
            ("q2", {"change": "row"}),
            ("q1", {"change": "row"}),
        ]
        assert [note.key for note in await tx.outbox.page(MIRROR_TOPIC, notes[3].id, 1)] == ["q2"]
        await tx.outbox.remove(MIRROR_TOPIC, notes[:4])
        assert await tx.outbox.page(MIRROR_TOPIC, 0, 100) == notes[4:]


async def test_rolled_back_changes_are_not_noted(mirrored: Store) -> None:
    async def fail() -> None:
        async with mirrored.transaction() as tx:
            await make_changes(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with mirrored.transaction() as tx:
        assert await tx.outbox.page(MIRROR_TOPIC, 0, 100) == []


async def test_changes_are_not_noted_without_a_mirror(store: Store) -> None:
    async with store.transaction() as tx:
        await make_changes(tx)
        assert await tx.outbox.page(MIRROR_TOPIC, 0, 100) == []


async def test_lag_of_the_mirror_is_counted_separately(mirrored: Store) -> None:
    async with mirrored.transaction() as tx:
        await make_changes(tx)
        await tx.outbox.add("card", "q1", {}, NOW)
        later = NOW + timedelta(minutes=1)
        assert await tx.outbox.lag(later) == (1, timedelta(minutes=1))
        assert await tx.outbox.lag(later, MIRROR_TOPIC) == (6, timedelta(minutes=1))


async def test_verdicts_are_found_with_their_questions(store: Store) -> None:
    async with store.transaction() as tx:
        await add_answered_question(tx)
        await tx.shadows.put(SHADOW)
        question, verdict = await tx.questions.get("q1"), await tx.questions.verdict("q1")
        assert await tx.questions.answered(["v1", "v2"]) == {"v1": (question, verdict)}
        assert await tx.questions.answered([]) == {}
        assert await tx.shadows.get("q1", "r1") == SHADOW
        assert await tx.shadows.get("q2", "r1") is None
