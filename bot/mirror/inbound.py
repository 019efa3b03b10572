"""People's corrections at the tracker, applied by the same rules as corrections in Slack."""

import logging
import uuid
from collections.abc import Collection
from datetime import datetime

from bot.corrections.correcting import Correcting
from bot.current_prompt import current_prompt
from bot.domain.correction import TRACKER_PERSON_PREFIX, Press
from bot.domain.dataset import Row, Source, answer_of
from bot.domain.errors import Reason, Refused, TrackerError, TrackerReason, TrackerRefused
from bot.domain.masking import masked
from bot.domain.mirrored import MIRROR_DATASET, MIRROR_TOPIC, MIRROR_UNTAKEN, MirrorChange
from bot.domain.thing import Thing
from bot.mirror.status import record_trouble
from bot.ports import Clock, Store, Tracker

log = logging.getLogger(__name__)

EDITS, ANNOTATIONS = "mirror:edits", "mirror:annotations"
"""Cursors: the time up to which each was read, in ISO 8601. ANNOTATIONS adds the ids of annotations at that time."""
ANYBODY = "*"
"""Entry of the staff list that allows everybody at the tracker to correct."""
LASTING_REASONS = frozenset(
    {
        TrackerReason.WRONG_ADDRESS,
        TrackerReason.WEB_ADDRESS,
        TrackerReason.CERTIFICATE,
        TrackerReason.WRONG_KEY,
        TrackerReason.WRONG_WORKSPACE,
        TrackerReason.DATASET_GONE,
    }
)
"""Refusals that are reported to people even if nothing waits to be sent."""


class Statement(Thing):
    """A person's edit or annotation at the tracker. `category` is the text that the person wrote."""

    about: str
    """The id of the question or row."""
    category: str | None
    reason: str | None
    by: str | None
    at: datetime


class MirrorInbound:
    """The incoming mirror: edits and annotations become corrections. One replica at a time calls `receive`.

    A newer correction from Slack is never overwritten; instead, the tracker gets the current row again. Our own copies
    that come back change nothing, because they equal the current rows.

    Args:
        store: The record.
        tracker: The source of the edits and annotations.
        correcting: Settles questions.
        clock: The time of the settled rows.
        staff: Ids, at the tracker, of the people who may correct; `*` allows everybody there, and an empty list nobody.
    """

    def __init__(
        self, store: Store, tracker: Tracker, correcting: Correcting, clock: Clock, staff: Collection[str]
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._correcting = correcting
        self._clock = clock
        self._staff = frozenset(staff)

    async def receive(self) -> int:
        """Apply new edits and annotations, and return the number of corrections. Tracker errors are not raised."""
        try:
            edits, edits_read_to = await self._read_edits()
            annotations, annotations_read_to = await self._read_annotations()
        except TrackerError as error:
            if isinstance(error, TrackerRefused) and error.reason in LASTING_REASONS:
                await self._record_trouble(error)
            log.debug("mirror: nothing received: %s", error)
            return 0
        applied: dict[str, datetime] = {}
        count = 0
        for statement in sorted([*edits, *annotations], key=lambda statement: statement.at):
            if await self._apply(statement, applied.get(statement.about)):
                applied[statement.about] = statement.at
                count += 1
        async with self._store.transaction() as tx:
            for cursor, position in ((EDITS, edits_read_to), (ANNOTATIONS, annotations_read_to)):
                if position:
                    await tx.cursors.move(cursor, position, self._clock.now())
        return count

    async def _record_trouble(self, error: TrackerRefused) -> None:
        async with self._store.transaction() as tx:
            news = await record_trouble(tx, error, self._clock.now())
        if news:
            log.warning("mirror: %s", error)

    async def _read_edits(self) -> tuple[list[Statement], str | None]:
        """Return people's edits of rows, and the next position of the cursor."""
        async with self._store.transaction() as tx:
            dataset, since = await tx.cursors.get(MIRROR_DATASET), await tx.cursors.get(EDITS)
        if not dataset:
            return [], None
        found = await self._tracker.edits(dataset, datetime.fromisoformat(since) if since else None)
        statements = []
        for edit in found.edits:
            about = edit.row_id or (await self._question_of(edit.trace_id) if edit.trace_id else None)
            if about:
                statements.append(Statement(about=about, **edit.model_dump(include={"category", "reason", "by", "at"})))
        return statements, found.upto.isoformat()

    async def _read_annotations(self) -> tuple[list[Statement], str | None]:
        """Return people's annotations of traces, and the next position of the cursor."""
        async with self._store.transaction() as tx:
            since, *known = (await tx.cursors.get(ANNOTATIONS) or "").split() or [""]
        found = await self._tracker.annotations(datetime.fromisoformat(since) if since else None)
        statements = []
        for one in found:
            about = await self._question_of(one.trace_id) if one.id.hex not in known else None
            if about:
                statements.append(
                    Statement(about=about, category=one.category, reason=one.comment, by=one.by, at=one.at)
                )
        if not found:
            return statements, None
        until = found[-1].at
        return statements, " ".join([until.isoformat(), *(one.id.hex for one in found if one.at == until)])

    async def _question_of(self, trace_id: uuid.UUID) -> str | None:
        """Return the id of the question that the trace answered; None for an unknown trace."""
        async with self._store.transaction() as tx:
            answered = await tx.questions.answered([trace_id.hex])
        return next((question.id for question, _ in answered.values()), None)

    async def _apply(self, statement: Statement, applied_at: datetime | None) -> bool:
        """Apply one statement and return whether it became a correction.

        Args:
            statement: The edit or annotation.
            applied_at: Time of the last statement on the same question or row that this round applied.
        """
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            category = prompt.find_category(statement.category) if statement.category else None
            row = await tx.rows.get(statement.about)
            corrections = await tx.corrections.of(statement.about)
            old_category = prompt.category(row.category) if row else None
        old_reason = answer_of(row, prompt, old_category)["reason"] if row and old_category else None
        text = (statement.reason or "").strip()
        # An unchanged reason argues for the old category, so a new category does not keep it.
        reason = masked(text) if text not in {"", old_reason} else None
        if row and category and row.category == category.id and reason in {None, row.reason}:
            return False
        # A statement that this round applied counts from its time at the tracker, not from now.
        newest_by = corrections[-1].by if corrections else row.by if row else ""
        times = [one.at for one in corrections] + ([row.settled_at] if row else [])
        newest = applied_at if applied_at and newest_by.startswith(TRACKER_PERSON_PREFIX) else max(times, default=None)
        if newest and newest >= statement.at:
            await self._send_again(statement.about)
            return False
        if category is None or not self._may_correct(statement.by):
            await self._count_unapplied(statement.about)
            return False
        press = Press(
            question_id=statement.about,
            category=category.id,
            reason=reason,
            seen=corrections[-1].seq if corrections else 0,
            by=f"{TRACKER_PERSON_PREFIX}{statement.by or ''}",
        )
        return await self._settle(press, row)

    def _may_correct(self, by: str | None) -> bool:
        return ANYBODY in self._staff or (by is not None and by in self._staff)

    async def _settle(self, press: Press, row: Row | None) -> bool:
        async with self._store.transaction() as tx:
            question = await tx.questions.get(press.question_id)
        if question is None:
            return row is not None and await self._resettle(row, press)
        try:
            await self._correcting.settle(press)
        except Refused as refused:
            log.info("mirror: question %s: %s", question.id, refused.reason.value)
            if refused.reason is Reason.SETTLED_MEANWHILE:
                await self._send_again(question.id)
            else:
                await self._count_unapplied(question.id)
            return False
        return True

    async def _resettle(self, row: Row, press: Press) -> bool:
        """Settle an imported row, which has no question. The row stays in its part of the split."""
        now = self._clock.now()
        new = press.model_dump(include={"category", "reason", "by"}) | {"source": Source.CHANGE, "settled_at": now}
        async with self._store.transaction() as tx:
            if await tx.rows.get(row.id, lock=True) != row:
                return False
            await tx.rows.put(row.model_copy(update=new))
        return True

    async def _send_again(self, row_id: str) -> None:
        now = self._clock.now()
        async with self._store.transaction() as tx:
            await tx.outbox.add(MIRROR_TOPIC, row_id, {"change": MirrorChange.ROW.value}, now)

    async def _count_unapplied(self, about: str) -> None:
        """Count a statement that is not applied, for the status, and log its question or row."""
        log.warning("mirror: a change of %s at the tracker is not applied", about)
        async with self._store.transaction() as tx:
            before = int(await tx.cursors.get(MIRROR_UNTAKEN) or 0)
            await tx.cursors.move(MIRROR_UNTAKEN, str(before + 1), self._clock.now())
