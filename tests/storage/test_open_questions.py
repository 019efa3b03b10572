"""The open questions and their order, when other questions were answered and judged meanwhile."""

from datetime import timedelta

from bot.domain.feedback import FeedbackKind
from bot.ports import Store, Transaction
from tests.storage.things import NOW, add_answered_question, feedback, question, row, verdict


async def ask(tx: Transaction, n: int, **changed: object) -> None:
    """Add question qN with verdict vN. Question q1 is there already."""
    if n > 1:
        await tx.questions.add(question(n).model_copy(update={"asked_at": NOW + timedelta(seconds=n)}))
        await tx.questions.add_verdict(verdict(n, f"q{n}").model_copy(update=changed))
    await tx.questions.save_card(f"q{n}", f"9.{n}")


async def open_ids(tx: Transaction, limit: int = 10) -> list[str]:
    found = await tx.questions.open(limit)
    assert [question.id for question, _ in found] == [verdict.question_id for _, verdict in found]
    return [question.id for question, _ in found]


async def test_memory_hides_only_what_it_answered(store: Store) -> None:
    async with store.transaction() as tx:
        await add_answered_question(tx)
        await tx.rows.put(row("q0"))
        await ask(tx, 1)
        await ask(tx, 2, settled_row="q0", row_settled_at=NOW)
        assert await open_ids(tx) == ["q1"]
        await ask(tx, 3)
        assert await open_ids(tx) == ["q3", "q1"]
        await tx.rows.withdraw("q0", NOW)
        assert await open_ids(tx) == ["q3", "q2", "q1"]


async def test_waiting_askers_come_first_whoever_answered(store: Store) -> None:
    async with store.transaction() as tx:
        await add_answered_question(tx)
        await tx.rows.put(row("q0"))
        await ask(tx, 1)
        await ask(tx, 2, settled_row="q0", row_settled_at=NOW)
        await ask(tx, 3)
        for one in (feedback(), feedback(2, FeedbackKind.SOLVED), feedback(3, FeedbackKind.SOLVED)):
            await tx.feedback.add(one.model_copy(update={"question_id": "q3"}))
        await tx.feedback.add(feedback())
        await tx.feedback.add(feedback().model_copy(update={"question_id": "q2"}))
        assert await open_ids(tx) == ["q2", "q1", "q3"]
        assert [await open_ids(tx, limit) for limit in (1, 2)] == [["q2"], ["q2", "q1"]]
