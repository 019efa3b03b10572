"""The review queue one question at a time, for one person: what to settle next, and what this person did so far."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from bot.corrections.correcting import Correcting
from bot.corrections.reviewing import MOST_QUESTIONS, Entry, QueueEntry, Reviewing
from bot.domain.courtesy import is_small_talk
from bot.domain.dataset import Row
from bot.domain.errors import Reason, Refused
from bot.domain.gain import QueueReason
from bot.domain.mark import LONGEST_RUN, LastPress, MarkKind, QueueMark, ReviewRun, run_of
from bot.domain.question import Question
from bot.domain.thing import Thing
from bot.ports import Clock, Neighbours, Store, Transaction
from bot.questions.cards import card_of

MayRead = Callable[[Question | Row], Awaitable[bool]]
"""Whether the person may read a question or row; the caller knows the person."""
ORDER_SECONDS = 0.3
"""Longest wait for a new order, in seconds. After that the last order is shown, and the new one comes next time."""
ORDER_KEPT = timedelta(seconds=10)
"""Longest age of a cached order before it is made anew, even if no entry was added meanwhile."""


class Focus(Thing):
    """One person's view of the review queue."""

    entry: Entry | None
    """The next entry to settle; None if none waits, or only ones that the person skipped."""
    waiting: int
    """Number of entries that the person may settle, skipped ones included."""
    skipped: int
    run: ReviewRun


class Focusing:
    """The queue as one person sees it, and what this person says of an entry besides settling it.

    The order of the queue costs much, so it is kept and brought up to date in the background. Which entries are open,
    and who may read them, is read anew each time.
    """

    def __init__(
        self, store: Store, reviewing: Reviewing, correcting: Correcting, neighbours: Neighbours, clock: Clock
    ) -> None:
        self._store = store
        self._reviewing = reviewing
        self._correcting = correcting
        self._neighbours = neighbours
        self._clock = clock
        self._order: list[QueueEntry] = []
        self._ordered_at: datetime | None = None
        self._ordering: asyncio.Task[list[QueueEntry]] | None = None

    async def focus(self, person: str, may_read: MayRead, *, first: str | None = None) -> Focus:
        """Return what the person should settle next.

        Args:
            person: The person's id.
            may_read: Tells whether the person may read a question or row.
            first: Key of the entry to show first if it waits, such as one that was just taken back.
        """
        now = self._clock.now()
        async with self._store.transaction() as tx:
            open_now = {one.id: one for one in await tx.questions.waiting(MOST_QUESTIONS)}
            skipped = await tx.marks.skipped(person)
            run = run_of(
                await tx.corrections.by(person, now - LONGEST_RUN), await tx.marks.of(person, now - LONGEST_RUN), now
            )
        open_now = {key: one for key, one in open_now.items() if not is_small_talk(one.text)}
        listed = await self._listed([*open_now])
        waiting = [one for one in listed if await self._may_settle(one, open_now, may_read)]
        waiting.sort(key=lambda one: (one.key != first, one.key in skipped))
        nearest = waiting[0] if waiting else None
        if nearest and nearest.key != first and nearest.key in skipped:
            nearest = None
        entries = await self._reviewing.entries([nearest]) if nearest else []
        left = sum(one.key in skipped for one in waiting)
        return Focus(entry=next(iter(entries), None), waiting=len(waiting), skipped=left, run=run)

    async def skip(self, key: str, by: str) -> None:
        """Move an entry to the end of the queue for this person."""
        async with self._store.transaction() as tx:
            await self._mark(tx, key, MarkKind.SKIP, by)

    async def resume(self, by: str) -> None:
        """Show again what this person skipped."""
        async with self._store.transaction() as tx:
            for key in await tx.marks.skipped(by):
                await self._mark(tx, key, MarkKind.BACK, by)

    async def set_aside(self, question_id: str, by: str) -> None:
        """Say that this is no question: it leaves the queue and makes no row, until somebody settles it or undoes this.

        Raises:
            Refused: UNKNOWN_QUESTION; SETTLED_MEANWHILE with `card`, if it is settled.
        """
        async with self._store.transaction() as tx:
            question = await tx.questions.get(question_id, lock=True)
            card = await card_of(tx, question) if question else None
            if card is None:
                raise Refused(Reason.UNKNOWN_QUESTION)
            if card.settled:
                raise Refused(Reason.SETTLED_MEANWHILE, card=card)
            await tx.questions.set_aside(question_id, aside=True)
            await tx.rows.withdraw(question_id, self._clock.now())
            await self._mark(tx, question_id, MarkKind.NOT_A_QUESTION, by)

    async def undo(self, press: LastPress, by: str) -> None:
        """Take back a press of this person: a correction, a settled conflict, a skip, or *not a question*.

        Raises:
            Refused: As in `Correcting.undo` and `Reviewing.reopen_conflict`.
        """
        if press.conflict:
            await self._reviewing.reopen_conflict(press.key, by)
            return
        if press.seq:
            await self._correcting.undo(press.key, press.seq, by)
            return
        async with self._store.transaction() as tx:
            if await tx.questions.get(press.key, lock=True):
                await tx.questions.set_aside(press.key, aside=False)
            await self._mark(tx, press.key, MarkKind.BACK, by)

    async def _mark(self, tx: Transaction, key: str, kind: MarkKind, by: str) -> None:
        await tx.marks.add(QueueMark(key=key, kind=kind, by=by, at=self._clock.now()))

    async def _listed(self, questions: Sequence[str]) -> list[QueueEntry]:
        """Return the open entries in order. Those that the last order does not know yet come last."""
        conflicts = {conflict.key for conflict in await self._neighbours.conflicts()}
        here = {*questions, *conflicts}
        order = await self._newest_order(here)
        known = [one for one in order if one.key in here]
        keys = {one.key for one in known}
        new = [QueueEntry(key=key, why=QueueReason.RANDOM) for key in questions if key not in keys]
        return [*known, *new]

    async def _newest_order(self, keys: set[str]) -> list[QueueEntry]:
        now = self._clock.now()
        fresh = self._ordered_at is not None and now - self._ordered_at < ORDER_KEPT
        if fresh and keys <= {one.key for one in self._order}:
            return self._order
        if self._ordering is None or self._ordering.done():
            self._ordering = asyncio.create_task(self._reviewing.queue())
        await asyncio.wait([self._ordering], timeout=None if self._ordered_at is None else ORDER_SECONDS)
        if self._ordering.done():
            self._order, self._ordered_at = self._ordering.result(), now
        return self._order

    async def stop(self) -> None:
        """End the work in the background, which would go on with a closed database."""
        if self._ordering is not None:
            self._ordering.cancel()
            await asyncio.gather(self._ordering, return_exceptions=True)

    async def _may_settle(self, one: QueueEntry, questions: dict[str, Question], may_read: MayRead) -> bool:
        if one.why is not QueueReason.CONFLICT:
            return await may_read(questions[one.key])
        groups = await self._neighbours.cluster(one.key)
        async with self._store.transaction() as tx:
            rows = await tx.rows.in_groups(groups)
        return len({row.category for row in rows}) > 1 and all([await may_read(row) for row in rows])
