"""Brings what the outbox holds to Slack: at least once, in order, however often Slack fails."""

import logging
import uuid
from datetime import timedelta

from bot.cards import card_of
from bot.domain.errors import Undelivered
from bot.domain.finetune import ENDED
from bot.ports import Announcer, Clock, OutboxItem, Store

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
LONGEST_WAIT = timedelta(minutes=5)


class Delivering:
    """Takes entries off the outbox. What an entry says is read anew, so that the newest state is what people see."""

    def __init__(self, store: Store, announcer: Announcer, clock: Clock) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self._topics = {"card": self._card, "finetune": self._finetune, "switch": self._switch}

    async def deliver_next(self) -> bool:
        """Deliver the oldest entry that is due. False where there is none."""
        async with self._store.transaction() as tx:
            item = await tx.outbox.claim(self._owner, self._clock.now(), LEASE, list(self._topics))
        if item is None:
            return False
        try:
            await self._topics[item.topic](item)
        except Exception as error:  # noqa: BLE001 - whatever it is, the entry is kept and tried again
            if isinstance(error, Undelivered) and error.final:
                log.warning("outbox %s (%s): Slack will never take it: %s", item.id, item.topic, error)
            else:
                await self._later(item, error)
                return True
        async with self._store.transaction() as tx:
            await tx.outbox.done(item)
        return True

    async def _later(self, item: OutboxItem, error: Exception) -> None:
        if isinstance(error, Undelivered):
            log.warning("outbox %s (%s): try %s: %s", item.id, item.topic, item.attempts, error)
        else:
            log.error("outbox %s (%s): try %s failed", item.id, item.topic, item.attempts, exc_info=error)
        wait = min(timedelta(seconds=2 ** min(item.attempts, 10)), LONGEST_WAIT)
        async with self._store.transaction() as tx:
            await tx.outbox.retry(item, self._clock.now() + wait, type(error).__name__)

    async def _card(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
        if card and card.question.card_ts is None:
            raise Undelivered("the card was pressed before its ts was saved", final=False)
        if card:
            await self._announcer.update_card(card)

    async def _finetune(self, item: OutboxItem) -> None:
        """Show the progress in one message, and tell the end in another: an updated message notifies nobody."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(item.key)
        if finetune is None:
            return
        channel, ts = await self._announcer.show_finetune(finetune)
        if (channel, ts) != (finetune.channel, finetune.channel_ts):
            async with self._store.transaction() as tx:
                current = await tx.finetunes.get(item.key)
                if current:
                    shown = current.model_copy(update={"channel": channel, "channel_ts": ts})
                    await tx.finetunes.advance(shown, current.state)
        if finetune.state in ENDED and item.payload.get("state") == finetune.state.value:
            await self._announcer.announce_finetune(finetune)

    async def _switch(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            release = await tx.releases.get(item.key)
        if release:
            await self._announcer.announce_switch(release, item.payload["by"], item.payload.get("note"))
