"""Answers that repeat what staff settled for the same question, without asking a model."""

import uuid
from collections.abc import Sequence
from functools import lru_cache

from bot.domain.audience import Audience
from bot.domain.dataset import Row, Source
from bot.domain.mirror import trace_id
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import Release
from bot.domain.similar import SameQuestion, content, tells
from bot.ports import Clock, Neighbours, RowChanges, Transaction

MOST_PRIVATE = 1000
"""Rows of other channels whose askers are looked up for one question."""


class Memory:
    """A search for the settled row that answers a question. Held-out rows serve too; evaluations never ask memory.

    The index of a replica only suggests rows. The database decides, in the transaction that stores the verdict, so an
    undo on another replica counts at once.

    Args:
        neighbours: The index.
        clock: The time.
        guarded: Whether rows answer nothing that were settled in a burst, until an admin looks.
    """

    def __init__(self, neighbours: Neighbours, clock: Clock, *, guarded: bool = True) -> None:
        self._guarded = guarded
        self._neighbours = neighbours
        self._clock = clock

    async def changes(self, tx: Transaction) -> RowChanges | None:
        """Read what changed in the rows, for `look_up`, in a transaction that is open anyway."""
        return await self._neighbours.changes(tx)

    async def look_up(
        self, question: Question, prompt: Prompt, changes: RowChanges | None = None
    ) -> SameQuestion | None:
        """Return the rows that may answer a question, or None. Never call this within a transaction.

        A question that was cut is left to the model, and so is one that only its files or its thread explain.

        Args:
            question: The question.
            prompt: The serving release's prompt.
            changes: The result of `changes`; None means that this call opens a transaction of its own.
        """
        if question.cut or (_leans(question) and not tells(question.text)):
            return None
        return await self._neighbours.same(question.text, _words_of(prompt), changes)

    async def verdict(
        self, tx: Transaction, question: Question, release: Release, prompt: Prompt, found: SameQuestion
    ) -> Verdict | None:
        """Return the verdict that repeats the newest settlement which this question may hear of, or None.

        Args:
            tx: The transaction that stores the verdict.
            question: The question.
            release: The serving release. It is not asked, but its prompt names the category.
            prompt: The serving release's prompt.
            found: The result of `look_up`.

        Returns:
            None also if near-duplicates were settled differently, or the prompt lacks the category.
        """
        rows = await tx.rows.in_groups(found.groups)
        if len({row.category for row in rows}) != 1 or prompt.category(rows[0].category) is None:
            return None
        same = [row for row in rows if found.texts.get(row.id) == row.text and row.id != question.id]
        untrusted = await tx.rows.untrusted(same) if self._guarded else set()
        same = [row for row in same if row.id not in untrusted]
        row = await self._newest_audible(tx, same, question)
        if row is None or (not tells(row.text) and _leans(await tx.questions.get(row.id))):
            return None
        return self._repeat(row, question, release)

    async def _newest_audible(self, tx: Transaction, rows: Sequence[Row], question: Question) -> Row | None:
        """Return the row that was settled last among those that this asker may hear of in this channel."""
        place = (question.place.team, question.place.channel)
        open_to_all = {row.id for row in rows if row.audience is Audience.PUBLIC or (row.team, row.channel) == place}
        others = sorted(row.id for row in rows if row.id not in open_to_all)[:MOST_PRIVATE]
        audible = open_to_all | (await tx.questions.asked_by(question.asker, others) if others else set())
        return max((row for row in rows if row.id in audible), key=lambda row: (row.settled_at, row.id), default=None)

    def _repeat(self, row: Row, question: Question, release: Release) -> Verdict:
        now = self._clock.now()
        # A reason may quote its question, so it stays where that question could be read.
        open_reason = row.audience is Audience.PUBLIC or row.channel == question.place.channel
        return Verdict(
            id=trace_id(now, uuid.uuid4().hex).hex,
            question_id=question.id,
            release_id=release.id,
            category=row.category,
            reason=(open_reason and row.reason) or "",
            confidence=None,
            latency_ms=0,
            tokens_in=0,
            tokens_out=0,
            at=now,
            settled_row=row.id,
            row_settled_at=None if row.source is Source.IMPORT else row.settled_at,
        )


def _leans(question: Question | None) -> bool:
    """Return whether files or a thread may explain the words of a question."""
    return question is not None and bool(question.unread or question.place.thread_ts)


@lru_cache(maxsize=8)
def _words_of(prompt: Prompt) -> frozenset[str]:
    """Return the content words of a prompt, none of which is a typo."""
    return frozenset(content(prompt.text))
