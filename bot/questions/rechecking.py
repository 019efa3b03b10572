"""A second look at what the fallback release answered, once the serving one answers again."""

import logging
from datetime import timedelta

from bot.domain.card import Card
from bot.domain.errors import ModelError
from bot.domain.question import Verdict
from bot.ports import TELLING, Clock, OutboxItem, Store, Transaction
from bot.questions.cards import card_of
from bot.questions.classifying import RECHECK_TOPIC, Classifying
from bot.questions.leasing import LeasedOutbox, RetryDelay

log = logging.getLogger(__name__)

RECHECK_LEASE = timedelta(seconds=90)
"""Longer than the slowest classification."""
FIRST_RECHECK_WAIT = timedelta(seconds=30)
LONGEST_RECHECK_WAIT = timedelta(minutes=5)
REFUSALS = 3
"""So often a question that the serving release refuses is put to it again; then the provisional answer stays."""


class Rechecking:
    """Replaces provisional verdicts. One that staff settled meanwhile stays: a person has looked at it."""

    def __init__(self, store: Store, classifying: Classifying, clock: Clock) -> None:
        self._store = store
        self._classifying = classifying
        self._clock = clock
        delay = RetryDelay(FIRST_RECHECK_WAIT, LONGEST_RECHECK_WAIT)
        self._entries = LeasedOutbox(store, clock, [RECHECK_TOPIC], RECHECK_LEASE, delay)
        self.hand_back = self._entries.hand_back

    async def recheck_next(self) -> bool:
        """Look at the oldest provisional verdict that is due. Returns False where there is none."""
        return await self._entries.next(self._recheck, self._failed)

    async def _failed(self, item: OutboxItem, error: Exception) -> None:
        """Try again later. Give up where the serving release refuses this very question again and again."""
        name = self._entries.name(item)
        async with self._store.transaction() as tx:
            if not isinstance(error, ModelError):
                log.error("%s failed", name, exc_info=error)
            elif error.trouble.of_this_question and item.attempts >= REFUSALS:
                log.warning("%s: given up: %s", name, error.trouble.value)
                await tx.outbox.done(item)
                return
            await self._entries.retry(tx, item, type(error).__name__)

    async def _recheck(self, item: OutboxItem) -> None:
        card = await self._provisional(item)
        verdict = await self._classifying.serving_verdict(card.question) if card else None
        async with self._store.transaction() as tx:
            # Whoever settles or edits the question meanwhile waits for this lock, or was first.
            question = await tx.questions.get(item.key, lock=True)
            newest = await card_of(tx, question) if question else None
            if not await tx.outbox.done(item) or card is None or verdict is None or newest is None:
                return
            if newest.verdict.id != card.verdict.id or newest.settled:
                return
            await self._replace(tx, newest, verdict)
        log.info("question %s: looked at again", item.key)

    async def _provisional(self, item: OutboxItem) -> Card | None:
        """The card whose verdict is still to be replaced."""
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
        return card if card and card.verdict.provisional and not card.settled else None

    async def _replace(self, tx: Transaction, card: Card, verdict: Verdict) -> None:
        """Let this verdict hold, and tell who owns the question now: an updated card notifies nobody."""
        await self._classifying.keep(tx, verdict)
        question_id, now = card.question.id, self._clock.now()
        await tx.outbox.add("card", question_id, {}, now)
        looked_at = await card_of(tx, card.question)
        if looked_at and looked_at.owner not in {None, card.owner}:
            await tx.outbox.add("owner", question_id, {"seq": str(card.seen + 1), TELLING: verdict.id}, now)
