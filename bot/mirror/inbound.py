"""Takes over what people corrected at the tracker, by the same rules as what they correct in Slack."""

import logging
import uuid
from collections.abc import Collection
from datetime import datetime

from bot.corrections.correcting import Correcting
from bot.current_prompt import current_prompt
from bot.domain.correction import ELSEWHERE, Press
from bot.domain.dataset import Row, Source, answer_of
from bot.domain.errors import Reason, Refused, TrackerError, TrackerReason, TrackerRefused
from bot.domain.masking import masked
from bot.domain.mirrored import MIRROR_DATASET, MIRROR_TOPIC, MIRROR_UNTAKEN, MirrorChange
from bot.domain.thing import Thing
from bot.mirror.status import hindered
from bot.ports import Clock, Store, Tracker

log = logging.getLogger(__name__)

EDITS, ANNOTATIONS = "mirror:edits", "mirror:annotations"
"""Cursors: up to when each was read, in ISO 8601; behind it the ids of the annotations of that very moment."""
ANYBODY = "*"
LASTING = frozenset(
    {
        TrackerReason.WRONG_ADDRESS,
        TrackerReason.WRONG_KEY,
        TrackerReason.WRONG_WORKSPACE,
        TrackerReason.DATASET_GONE,
    }
)
"""What is told to people even while there is nothing to send that would meet it."""


class Word(Thing):
    """What somebody said over there of one question or row. `category` is as they wrote it."""

    about: str
    """The id of the question or row."""
    category: str | None
    reason: str | None
    by: str | None
    at: datetime


class MirrorInbound:
    """Reads changes and annotations. One replica at a time calls `receive`.

    A newer word from Slack is never overwritten: then the tracker is shown again what holds. What we sent ourselves
    comes back as nothing, because it says what holds already.

    Args:
        store: the record.
        tracker: where people said something.
        correcting: settles questions.
        clock: when.
        staff: who may correct from over there, as the tracker names them; `*` stands for everybody there, and nobody
            may where it is empty.
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
        """Take over what is new; how many corrections that made. It never raises for the tracker's sake."""
        try:
            edited, upto = await self._edits()
            said, heard = await self._annotations()
        except TrackerError as error:
            if isinstance(error, TrackerRefused) and error.reason in LASTING:
                await self._hindered(error)
            log.debug("mirror: nothing received: %s", error)
            return 0
        taken: dict[str, datetime] = {}
        count = 0
        for word in sorted([*edited, *said], key=lambda word: word.at):
            if await self._take(word, taken.get(word.about)):
                taken[word.about] = word.at
                count += 1
        async with self._store.transaction() as tx:
            for cursor, position in ((EDITS, upto), (ANNOTATIONS, heard)):
                if position:
                    await tx.cursors.move(cursor, position, self._clock.now())
        return count

    async def _hindered(self, error: TrackerRefused) -> None:
        async with self._store.transaction() as tx:
            news = await hindered(tx, error, self._clock.now())
        if news:
            log.warning("mirror: %s", error)

    async def _edits(self) -> tuple[list[Word], str | None]:
        """What was said in rows, and where to go on from."""
        async with self._store.transaction() as tx:
            dataset, since = await tx.cursors.get(MIRROR_DATASET), await tx.cursors.get(EDITS)
        if not dataset:
            return [], None
        found = await self._tracker.edits(dataset, datetime.fromisoformat(since) if since else None)
        words = []
        for edit in found.edits:
            about = edit.row_id or (await self._question(edit.trace_id) if edit.trace_id else None)
            if about:
                words.append(Word(about=about, **edit.model_dump(include={"category", "reason", "by", "at"})))
        return words, found.upto.isoformat()

    async def _annotations(self) -> tuple[list[Word], str | None]:
        """What was said of traces, and where to go on from."""
        async with self._store.transaction() as tx:
            since, *known = (await tx.cursors.get(ANNOTATIONS) or "").split() or [""]
        found = await self._tracker.annotations(datetime.fromisoformat(since) if since else None)
        words = []
        for one in found:
            about = await self._question(one.trace_id) if one.id.hex not in known else None
            if about:
                words.append(Word(about=about, category=one.category, reason=one.comment, by=one.by, at=one.at))
        if not found:
            return words, None
        until = found[-1].at
        return words, " ".join([until.isoformat(), *(one.id.hex for one in found if one.at == until)])

    async def _question(self, trace_id: uuid.UUID) -> str | None:
        """The id of the question that a trace is an answer to."""
        async with self._store.transaction() as tx:
            answered = await tx.questions.answered([trace_id.hex])
        return next((question.id for question, _ in answered.values()), None)

    async def _take(self, word: Word, heard: datetime | None) -> bool:
        """`heard`: when the word was said that was taken over last, in this round and of the same thing."""
        async with self._store.transaction() as tx:
            prompt = await current_prompt(tx)
            category = prompt.meant(word.category) if word.category else None
            row = await tx.rows.get(word.about)
            said = await tx.corrections.of(word.about)
            known = prompt.category(row.category) if row else None
        before = answer_of(row, prompt, known)["reason"] if row and known else None
        # Words that stood there before argue for the category that stood there before.
        reason = masked(word.reason.strip()) if word.reason and word.reason.strip() not in {"", before} else None
        if row and category and row.category == category.id and reason in {None, row.reason}:
            return False
        ours = heard and (said[-1].by if said else row.by if row else "").startswith(ELSEWHERE)
        newest = heard if ours else max([one.at for one in said] + ([row.settled_at] if row else []), default=None)
        if newest and newest >= word.at:
            await self._show_again(word.about)
            return False
        if category is None or not self._trusted(word.by):
            await self._untaken(word.about)
            return False
        press = Press(
            question_id=word.about,
            category=category.id,
            reason=reason,
            seen=said[-1].seq if said else 0,
            by=f"{ELSEWHERE}{word.by or ''}",
        )
        return await self._settle(press, row)

    def _trusted(self, by: str | None) -> bool:
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
                await self._show_again(question.id)
            else:
                await self._untaken(question.id)
            return False
        return True

    async def _resettle(self, row: Row, press: Press) -> bool:
        """A row without a question: it was imported. It stays on its side of the split."""
        now = self._clock.now()
        new = press.model_dump(include={"category", "reason", "by"}) | {"source": Source.CHANGE, "settled_at": now}
        async with self._store.transaction() as tx:
            if await tx.rows.get(row.id) != row:
                return False
            await tx.rows.put(row.model_copy(update=new))
        return True

    async def _show_again(self, row_id: str) -> None:
        now = self._clock.now()
        async with self._store.transaction() as tx:
            await tx.outbox.add(MIRROR_TOPIC, row_id, {"change": MirrorChange.ROW.value}, now)

    async def _untaken(self, about: str) -> None:
        """Count what is not taken over, for status; the log says which."""
        log.warning("mirror: what was said of %s at the tracker is not taken over", about)
        async with self._store.transaction() as tx:
            before = int(await tx.cursors.get(MIRROR_UNTAKEN) or 0)
            await tx.cursors.move(MIRROR_UNTAKEN, str(before + 1), self._clock.now())
