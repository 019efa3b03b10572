"""Brings what the outbox holds to Slack: in order, however often Slack fails, and to be read once."""

import logging
import uuid
from datetime import timedelta

from bot.domain.card import Card
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.errors import Trouble, Undelivered
from bot.domain.finetune import ENDED_STATES
from bot.domain.question import Missed, Place
from bot.domain.release import ModelName
from bot.ports import TELLING, Announcer, Clock, Meter, OutboxItem, Store, Transaction, Unmetered
from bot.questions.cards import card_of
from bot.questions.classifying import TROUBLE_TOPIC

log = logging.getLogger(__name__)

DELIVERY_LEASE = timedelta(seconds=60)
LONGEST_DELIVERY_WAIT = timedelta(minutes=5)
AGAIN = "again"
"""In an entry's payload: it repeats one that was perhaps told."""


class Overslept(Exception):  # noqa: N818 - reads as what happened
    """The lease was lost before anything was told: another worker tells it."""


class Delivering:
    """Takes entries off the outbox. What an entry says is read anew, so that the newest state is what people see.

    A worker that was paused holds its entry no longer: it looks before it tells anything. Where it was paused at that
    very moment, it may have told something old, or twice; so the entry is added once more, and the newest worker tells
    what holds, or sees that it stands there already.
    """

    def __init__(self, store: Store, announcer: Announcer, clock: Clock, meter: Meter | None = None) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._meter = meter or Unmetered()
        self._owner = uuid.uuid4().hex
        self._topics = {
            "card": self._card,
            "owner": self._new_owner,
            "finetune": self._finetune,
            "switch": self._switch,
            "missed": self._missed,
            "overslept": self._overslept,
            TROUBLE_TOPIC: self._trouble,
        }

    async def hand_back(self) -> None:
        """Let others take up at once what was begun here and will not be finished."""
        async with self._store.transaction() as tx:
            await tx.outbox.hand_back(self._owner, self._clock.now())

    async def deliver_next(self) -> bool:
        """Deliver the oldest entry that is due. False where there is none."""
        async with self._store.transaction() as tx:
            item = await tx.outbox.claim(self._owner, self._clock.now(), DELIVERY_LEASE, list(self._topics))
        if item is None:
            return False
        try:
            with self._meter.span("delivery", topic=item.topic, key=item.key):
                await self._topics[item.topic](item)
        except Overslept:
            log.info("outbox %s (%s): lease lost", item.id, item.topic)
            return True
        except Exception as error:  # noqa: BLE001 - whatever it is, the entry is kept and tried again
            if isinstance(error, Undelivered) and error.final:
                log.warning("outbox %s (%s): Slack will never take it: %s", item.id, item.topic, error)
            else:
                await self._later(item, error)
                return True
        async with self._store.transaction() as tx:
            if not await tx.outbox.done(item):
                await self._told_late(tx, item)
        return True

    async def _told_late(self, tx: Transaction, item: OutboxItem) -> None:
        log.info("outbox %s (%s): lease lost", item.id, item.topic)
        now = self._clock.now()
        await tx.outbox.add(item.topic, item.key, item.payload | {AGAIN: "yes", TELLING: item.telling}, now)

    async def _hold(self, tx: Transaction, item: OutboxItem) -> None:
        """Hold the entry while something is told. Raises Overslept."""
        if not await tx.outbox.renew(item, self._clock.now() + DELIVERY_LEASE):
            raise Overslept

    async def _later(self, item: OutboxItem, error: Exception) -> None:
        if isinstance(error, Undelivered):
            log.warning("outbox %s (%s): try %s: %s", item.id, item.topic, item.attempts, error)
        else:
            log.error("outbox %s (%s): try %s failed", item.id, item.topic, item.attempts, exc_info=error)
        wait = min(timedelta(seconds=2 ** min(item.attempts, 10)), LONGEST_DELIVERY_WAIT)
        async with self._store.transaction() as tx:
            if not await tx.outbox.retry(item, self._clock.now() + wait, type(error).__name__):
                await self._told_late(tx, item)

    async def _card(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
            await self._hold(tx, item)
        if card and card.question.card_ts is None:
            raise Undelivered("the card was pressed before its ts was saved", final=False)
        if card:
            await self._announcer.update_card(card)

    async def _new_owner(self, item: OutboxItem) -> None:
        """Tell the new owner in a message: an updated card notifies nobody. Not what has been theirs for a moment."""
        seq = int(item.payload["seq"])
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
            since = [one for one in await tx.corrections.of(item.key) if one.seq >= seq]
            await self._hold(tx, item)
        if card and all(stays(card, correction) for correction in since):
            await self._announcer.announce_owner(
                card, telling=item.payload.get(TELLING, f"{item.key}:{seq}"), again=is_again(item)
            )

    async def _finetune(self, item: OutboxItem) -> None:
        """Show the progress in one message, and tell the end in another: an updated message notifies nobody."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(item.key)
            await self._hold(tx, item)
        if finetune is None:
            return
        channel, ts = await self._announcer.show_finetune(finetune, again=is_again(item))
        finetune = finetune.model_copy(update={"channel": channel, "channel_ts": ts})
        async with self._store.transaction() as tx:
            await self._hold(tx, item)
            current = await tx.finetunes.get(item.key)
            if current and (channel, ts) != (current.channel, current.channel_ts):
                shown = current.model_copy(update={"channel": channel, "channel_ts": ts})
                await tx.finetunes.advance(shown, current.state)
        if finetune.state in ENDED_STATES and item.payload.get("state") == finetune.state.value:
            await self._announcer.announce_finetune(finetune, again=is_again(item))

    async def _switch(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            release = await tx.releases.get(item.key)
            await self._hold(tx, item)
        if release:
            by, note = item.payload["by"], item.payload.get("note")
            await self._announcer.announce_switch(release, by, note, telling=item.telling, again=is_again(item))

    async def _missed(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._hold(tx, item)
        missed = Missed.model_validate_json(item.payload["missed"], extra="ignore")
        await self._announcer.post_missed(missed, telling=item.telling, again=is_again(item))

    async def _trouble(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._hold(tx, item)
        fallback = item.payload.get("fallback")
        await self._announcer.tell_trouble(
            ModelName.parse(item.payload["model"]),
            Trouble(item.payload["trouble"]),
            ModelName.parse(fallback) if fallback else None,
            telling=item.telling,
            again=is_again(item),
        )

    async def _overslept(self, item: OutboxItem) -> None:
        """A worker lost an arrival while it posted: see that nothing stands there twice."""
        place = Place.model_validate({name: item.payload.get(name) for name in Place.model_fields})
        async with self._store.transaction() as tx:
            question = await tx.questions.at(place.team, place.channel, place.ts)
        await self._announcer.keep_one(place, item.key, question)


def stays(card: Card, correction: Correction) -> bool:
    """Whether a question was with the owner whom its card mentions after this correction too."""
    then = card.model_copy(update={"settled": correction})
    return correction.kind is not CorrectionKind.UNDO and then.owner == card.owner


def is_again(item: OutboxItem) -> bool:
    """Whether it was perhaps told already."""
    return item.attempts > 1 or AGAIN in item.payload
