"""The act that takes back what one person settled, together, and undoes that."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bot.domain.audit import AuditAct
from bot.domain.correction import CorrectionKind
from bot.domain.thing import Thing
from bot.ports import Clock, Store, Transaction
from bot.questions.cards import card_of, update_card
from bot.questions.classifying import RECHECK_TOPIC

QUESTIONS_AT_ONCE = 50
"""Questions in one transaction, because other writers wait for it."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Withdrawal(Thing):
    """The settlements of one person that still stand.

    Attributes:
        questions: Ids of the questions that are settled as this person said last.
        rows: Ids of imported rows that this person settled anew.
    """

    questions: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return len(self.questions) + len(self.rows)


class Withdrawing:
    """The withdrawal of a person's settlements. Each question is open again, its row is gone, and its card says so.

    A crash leaves a part of them, and the audit log says how large it is; the same command takes back the rest.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def plan(self, person: str, since: datetime | None = None) -> Withdrawal:
        """Return what a withdrawal would take back; nothing is changed."""
        async with self._store.snapshot() as tx:
            questions = await tx.corrections.standing(person, since or EVER)
            rows = await tx.rows.settled_anew(person, since or EVER)
        return Withdrawal(questions=tuple(questions), rows=tuple(rows))

    async def withdraw(self, person: str, since: datetime | None, by: str) -> tuple[int, datetime]:
        """Take back what a person settled, from `since` on.

        Returns:
            The number of settlements, and the time by which `undo` knows them.
        """
        planned, at = await self.plan(person, since), self._clock.now()
        done = 0
        for part, last in _parts(planned.questions):
            async with self._store.transaction() as tx:
                n = sum([await self._reopen(tx, question_id, person, by, at) for question_id in part])
                if last:
                    n += len(await tx.rows.withdraw_anew(person, since or EVER, at, self._clock.now()))
                done += await self._noted(tx, AuditAct.WITHDRAWN, person, by, n)
        return done, at

    async def undo(self, person: str, at: datetime, by: str) -> int:
        """Settle again what a withdrawal took back, unless somebody else has settled it meanwhile; return how many."""
        async with self._store.snapshot() as tx:
            questions = await tx.corrections.taken_back(person, at)
        done = 0
        for part, last in _parts(questions):
            async with self._store.transaction() as tx:
                n = sum([await self._settle_again(tx, question_id, at) for question_id in part])
                if last:
                    n += len(await tx.rows.restore_anew(person, at, self._clock.now()))
                done += await self._noted(tx, AuditAct.WITHDRAWAL_UNDONE, person, by, n)
        return done

    async def _noted(self, tx: Transaction, act: AuditAct, person: str, by: str, n: int) -> int:
        """Note one part in the audit log, in the part's own transaction; return how many settlements it had."""
        if n:
            await tx.audit.add(by, act, self._clock.now(), await tx.audit.alias(person), {"rows": n})
        return n

    async def _reopen(self, tx: Transaction, question_id: str, person: str, by: str, at: datetime) -> bool:
        question = await tx.questions.get(question_id, lock=True)
        card = await card_of(tx, question) if question else None
        if question is None or card is None or card.settled is None or card.settled.by != person:
            return False  # somebody else has settled it meanwhile
        undo = {"seq": card.seen + 1, "kind": CorrectionKind.UNDO, "by": by, "reason": None, "at": at}
        await tx.corrections.add(card.settled.model_copy(update=undo))
        await tx.questions.settle(question_id, None)
        await tx.rows.withdraw(question_id, self._clock.now())
        await update_card(tx, question, self._clock.now())
        if card.verdict.provisional:
            # The recheck was dropped when the question was settled.
            await tx.outbox.add(RECHECK_TOPIC, question_id, {}, self._clock.now())
        return True

    async def _settle_again(self, tx: Transaction, question_id: str, at: datetime) -> bool:
        question = await tx.questions.get(question_id, lock=True)
        said = await tx.corrections.of(question_id)
        if question is None or len(said) < 2 or (said[-1].kind, said[-1].at) != (CorrectionKind.UNDO, at):
            return False
        now = self._clock.now()
        again = said[-2].model_copy(update={"seq": said[-1].seq + 1, "at": now})
        await tx.corrections.add(again)
        await tx.questions.settle(question_id, again.category)
        await tx.rows.restore(question_id, now)
        await update_card(tx, question, now)
        return True


def _parts(questions: Sequence[str]) -> Iterator[tuple[Sequence[str], bool]]:
    """Yield the questions of each transaction, and whether it is the last one; at least one, however few they are."""
    for start in range(0, max(len(questions), 1), QUESTIONS_AT_ONCE):
        yield questions[start : start + QUESTIONS_AT_ONCE], start + QUESTIONS_AT_ONCE >= len(questions)
