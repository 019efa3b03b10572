"""People's settlements, on both databases: standing, taken back, and set aside until admins decide."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

import pytest

from bot.corrections.correcting import Correcting
from bot.dataset.guarding import Guarding
from bot.dataset.withdrawing import Withdrawing
from bot.domain.audit import AuditAct
from bot.domain.correction import Press
from bot.domain.dataset import Row, Source, Split
from bot.domain.question import Place, Question, Verdict, Via
from bot.domain.release import ReleaseState
from bot.domain.shares import Look
from bot.ports import Store, Transaction
from storage.store import SqlStore
from tests.kits.fakes import MemoryNeighbours, StepClock
from tests.storage.things import NOW, PROMPT, release


def imported(n: int, by: str, source: Source = Source.CHANGE) -> Row:
    return Row(
        id=f"import:{n}",
        text=f"question {n}",
        group=f"g{n}",
        category="labor",
        reason=None,
        split=Split.TRAIN,
        source=source,
        by=by,
        settled_at=NOW,
    )


class WithdrawalDesk:
    """Answered questions on a real database, and the acts that settle them and withdraw that."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.clock = store, StepClock(NOW)
        self.correcting = Correcting(store, MemoryNeighbours(), self.clock)
        self.withdrawing = Withdrawing(store, self.clock)

    async def ask(self, n: int) -> str:
        place = Place(team="T1", channel="C1", ts=f"{n}.000100")
        question = Question(
            id=f"{n:032x}", text=f"question {n}", asker="U1", place=place, via=Via.MENTION, language="en", asked_at=NOW
        )
        async with self.store.transaction() as tx:
            await tx.questions.add(question)
        await self.answer(question.id, n)
        return question.id

    async def ask_second(self, first_id: str) -> str:
        """Ask and answer a second question in the message of the first one."""
        async with self.store.transaction() as tx:
            first = await tx.questions.get(first_id)
            assert first is not None
            second = first.second("another question")
            await tx.questions.put_second(second)
        await self.answer(second.id, 900)
        return second.id

    async def answer(self, question_id: str, n: int) -> None:
        verdict = Verdict(
            id=f"{n + 1000:032x}",
            question_id=question_id,
            release_id=release().id,
            category="labor",
            reason="because",
            confidence=0.9,
            latency_ms=1,
            tokens_in=1,
            tokens_out=1,
            at=NOW,
        )
        async with self.store.transaction() as tx:
            await tx.questions.add_verdict(verdict)

    async def settle(self, question_id: str, by: str, seen: int = 0) -> None:
        self.clock.advance(seconds=1)
        await self.correcting.settle(Press(question_id=question_id, category=None, seen=seen, by=by))

    async def rows(self) -> set[str]:
        async with self.store.snapshot() as tx:
            return {row.id async for row in tx.rows.all()}


@pytest.fixture
async def desk(store: SqlStore) -> WithdrawalDesk:
    async with store.transaction() as tx:
        await tx.prompts.put(PROMPT)
        await tx.releases.add(release(), "system", "test")
        await tx.releases.enter(release().id, ReleaseState.SERVING, "system", "test", NOW)
    return WithdrawalDesk(store)


async def test_withdrawal_and_its_undo_leave_everything_else(desk: WithdrawalDesk) -> None:
    mine, overruled, other = [await desk.ask(n) for n in (1, 2, 3)]
    await desk.settle(mine, "UA")
    await desk.settle(overruled, "UA")
    await desk.settle(overruled, "UB", seen=1)
    await desk.settle(other, "UB")
    async with desk.store.transaction() as tx:
        await tx.rows.put(imported(7, "UA"), imported(8, "UA", Source.IMPORT), imported(9, "UB"))
    before = await desk.rows()
    desk.clock.advance(minutes=1)

    planned = await desk.withdrawing.plan("UA")
    assert (planned.questions, planned.rows) == ((mine,), ("import:7",))
    n, at = await desk.withdrawing.withdraw("UA", None, "U9")
    assert n == 2
    assert await desk.rows() == before - {mine, "import:7"}
    assert (await desk.withdrawing.plan("UA")).total == 0
    assert (await desk.withdrawing.withdraw("UA", None, "U9"))[0] == 0

    desk.clock.advance(minutes=1)
    assert await desk.withdrawing.undo("UA", at, "U9") == 2
    assert await desk.rows() == before
    assert await desk.withdrawing.undo("UA", at, "U9") == 0
    async with desk.store.snapshot() as tx:
        acts = [entry.act for entry in await tx.audit.last(2)]
        changed = {row.id async for row, _ in tx.rows.changed(desk.clock.now())}
    assert acts == [AuditAct.WITHDRAWAL_UNDONE, AuditAct.WITHDRAWN]
    assert {mine, "import:7"} <= changed, "other replicas read what came back"


class Killed(Exception):  # noqa: N818 - reads as what happened
    """The end of the process at this moment."""


class DyingStore:
    """A store that can begin so many transactions, and no more."""

    def __init__(self, store: SqlStore, transactions: int) -> None:
        self._store, self._left = store, transactions
        self.snapshot = store.snapshot

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if not self._left:
            raise Killed
        self._left -= 1
        async with self._store.transaction() as tx:
            yield tx


async def test_killed_withdrawal_is_in_the_audit_log(desk: WithdrawalDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.dataset.withdrawing.QUESTIONS_AT_ONCE", 2)
    for n in range(1, 6):
        await desk.settle(await desk.ask(n), "UA")

    async def withdrawn() -> list[int]:
        async with desk.store.snapshot() as tx:
            found = [entry.facts["rows"] for entry in await tx.audit.last(9) if entry.act is AuditAct.WITHDRAWN]
        return [int(n) for n in reversed(found)]

    dying = Withdrawing(cast("Store", DyingStore(desk.store, 2)), desk.clock)
    with pytest.raises(Killed):
        await dying.withdraw("UA", None, "U9")
    assert (len(await desk.rows()), await withdrawn()) == (1, [2, 2])
    assert (await desk.withdrawing.withdraw("UA", None, "U9"))[0] == 1
    assert (await desk.rows(), await withdrawn()) == (set(), [2, 2, 1])


async def test_undo_respects_what_others_settled_meanwhile(desk: WithdrawalDesk) -> None:
    question = await desk.ask(1)
    await desk.settle(question, "UA")
    _, at = await desk.withdrawing.withdraw("UA", None, "U9")
    await desk.settle(question, "UB", seen=2)
    assert await desk.withdrawing.undo("UA", at, "U9") == 0
    async with desk.store.snapshot() as tx:
        row = await tx.rows.get(question)
    assert row is not None
    assert row.by == "UB"


async def test_undo_leaves_later_withdrawals(desk: WithdrawalDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.rows.put(
            imported(7, "UA"), imported(8, "UA").model_copy(update={"settled_at": NOW + timedelta(days=2)})
        )
    desk.clock.advance(days=3)
    _, at = await desk.withdrawing.withdraw("UA", NOW + timedelta(days=1), "U9")
    assert await desk.rows() == {"import:7"}
    desk.clock.advance(minutes=1)
    await desk.withdrawing.withdraw("UA", None, "U9")
    assert await desk.rows() == set()
    desk.clock.advance(minutes=1)
    assert await desk.withdrawing.undo("UA", at, "U9") == 1
    assert await desk.rows() == {"import:8"}


async def test_cards_of_both_questions_wait_in_one_line(desk: WithdrawalDesk) -> None:
    first = await desk.ask(1)
    second = await desk.ask_second(first)
    await desk.settle(second, "UA")
    _, at = await desk.withdrawing.withdraw("UA", None, "U9")
    await desk.withdrawing.undo("UA", at, "U9")
    async with desk.store.snapshot() as tx:
        keys = {entry.key for entry in await tx.outbox.page("card", 0, 100)}
    assert keys == {first}


async def test_date_leaves_earlier_settlements(desk: WithdrawalDesk) -> None:
    early, late = await desk.ask(1), await desk.ask(2)
    await desk.settle(early, "UA")
    desk.clock.advance(days=2)
    await desk.settle(late, "UA")
    planned = await desk.withdrawing.plan("UA", NOW + timedelta(days=1))
    assert planned.questions == (late,)


async def test_decisions_are_kept_by_row(desk: WithdrawalDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.looks.put([])
        for keep in (True, False):
            await tx.looks.put([Look(row_id=f"r{n}", settled_at=NOW, keep=keep, by="U9", at=NOW) for n in range(3)])
    async with desk.store.snapshot() as tx:
        found = await tx.looks.all()
    assert [one.keep for one in found.values()] == [False] * 3
    assert await Guarding(desk.store, desk.clock).decide("UA", "U9", keep=True) == 0
