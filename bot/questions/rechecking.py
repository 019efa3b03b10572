"""The recheck of provisional verdicts, once the serving release answers again."""

import logging
from datetime import timedelta

from bot.domain.budget import next_month
from bot.domain.card import Card
from bot.domain.disk import log_failure
from bot.domain.errors import ModelError
from bot.domain.question import Verdict
from bot.ports import Clock, OutboxItem, Store, Transaction
from bot.questions.cards import card_of, tell_new_owner, update_card
from bot.questions.classifying import RECHECK_TOPIC, Classifying
from bot.questions.leasing import LeasedOutbox, RetryDelay

log = logging.getLogger(__name__)

RECHECK_LEASE = timedelta(seconds=90)
"""Longer than the slowest classification."""
FIRST_RECHECK_WAIT = timedelta(seconds=30)
LONGEST_RECHECK_WAIT = timedelta(minutes=5)
BUDGET_WAIT = timedelta(hours=1)
"""Interval at which a recheck looks whether there is money again."""
TRIES_IF_REFUSED = 3
"""Number of tries after which a question that the serving release refuses keeps its provisional verdict."""


class Rechecking:
    """The replacement of provisional verdicts. One that staff settled meanwhile is kept: a person has judged it."""

    def __init__(self, store: Store, classifying: Classifying, clock: Clock) -> None:
        self._store = store
        self._classifying = classifying
        self._clock = clock
        delay = RetryDelay(FIRST_RECHECK_WAIT, LONGEST_RECHECK_WAIT)
        self._entries = LeasedOutbox(store, clock, [RECHECK_TOPIC], RECHECK_LEASE, delay)
        self.hand_back, self.topics = self._entries.hand_back, self._entries.topics

    async def recheck_next(self) -> bool:
        """Recheck the oldest provisional verdict that is due. Returns False if there is none."""
        return await self._entries.next(self._recheck, self._failed)

    async def _failed(self, item: OutboxItem, error: Exception) -> None:
        """Retry later, or give up on a question that the serving release keeps refusing."""
        name = self._entries.name(item)
        async with self._store.transaction() as tx:
            if not isinstance(error, ModelError):
                log_failure(log, f"{name} failed", error)
            elif error.trouble.of_this_question and item.attempts >= TRIES_IF_REFUSED:
                log.warning("%s: given up: %s", name, error.trouble.value)
                await tx.outbox.done(item)
                return
            await self._entries.retry(tx, item, type(error).__name__)

    async def _recheck(self, item: OutboxItem) -> None:
        card = await self._card_to_recheck(item)
        if card and await self._waits_for_money(item):
            return
        verdict = await self._classifying.serving_verdict(card.question) if card else None
        async with self._store.transaction() as tx:
            # A concurrent settlement or edit either waits for this lock or is visible here.
            question = await tx.questions.get(item.key, lock=True)
            newest = await card_of(tx, question) if question else None
            if not await tx.outbox.done(item) or card is None or verdict is None or newest is None:
                return
            if newest.verdict.id != card.verdict.id or newest.settled:
                return
            await self._replace(tx, newest, verdict)
        log.info("question %s: rechecked", item.key)

    async def _waits_for_money(self, item: OutboxItem) -> bool:
        """Return whether the budget is used up; the entry then waits for the next month, or for a larger budget."""
        async with self._store.snapshot() as tx:
            serving = await self._classifying.serving(tx)
        if not await self._classifying.over_budget(serving.release):
            return False
        now = self._clock.now()
        async with self._store.transaction() as tx:
            await tx.outbox.retry(item, min(now + BUDGET_WAIT, next_month(now)), "BudgetEnd")
        return True

    async def _card_to_recheck(self, item: OutboxItem) -> Card | None:
        """Return the question's card if its verdict is still provisional and not settled."""
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question and question.text else None
        return card if card and card.verdict.provisional and not card.settled else None

    async def _replace(self, tx: Transaction, card: Card, verdict: Verdict) -> None:
        """Store the new verdict, and queue the card's update and a message to a new owner."""
        await self._classifying.keep(tx, verdict)
        now = self._clock.now()
        await update_card(tx, card.question, now)
        await tell_new_owner(tx, card, verdict, now)
