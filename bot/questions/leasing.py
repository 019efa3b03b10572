"""Work by lease: claim an item, renew the lease before each slow step, then end it, retry it or hand it back."""

import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from bot.domain.question import InboxItem
from bot.ports import Clock, OutboxItem, Store, Transaction

log = logging.getLogger(__name__)

LeasedT = TypeVar("LeasedT", InboxItem, OutboxItem)


class LeaseLost(Exception):  # noqa: N818 - reads as what happened
    """Loss of an item to another worker, which may hold it now: this worker must write and post nothing for it."""


@dataclass(frozen=True)
class RetryDelay:
    """Exponential backoff between the tries of one item."""

    first: timedelta
    longest: timedelta
    factor: int = 2

    def after(self, attempts: int) -> timedelta:
        """Return the delay after this number of tries (1 or more)."""
        return min(self.first * int(self.factor ** min(attempts - 1, 10)), self.longest)


class LeasedQueue(Generic[LeasedT]):
    """One worker's view of a queue in the database: the inbox (`LeasedInbox`) or the outbox (`LeasedOutbox`).

    Args:
        store: The database.
        clock: The time.
        lease: Duration of a claim; longer than the longest step between two calls of `hold`.
        delay: The backoff of `retry`.
        span: Returns the trace span of an item's work.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lease: timedelta,
        delay: RetryDelay,
        span: Callable[[LeasedT], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._delay = delay
        self._span: Callable[[LeasedT], AbstractContextManager[None]] = span or (lambda _item: nullcontext())
        self._owner = uuid.uuid4().hex
        self._handed: deque[LeasedT] = deque()
        """Items that were stored claimed, for the next callers of `next`."""

    async def next(
        self, work: Callable[[LeasedT], Awaitable[None]], failed: Callable[[LeasedT, Exception], Awaitable[None]]
    ) -> bool:
        """Work on an item that was handed over, else claim the oldest due item and work on it.

        Args:
            work: Processes the item and ends it.
            failed: Ends the item, or retries it, after `work` raised anything but LeaseLost.

        Returns:
            False if no item is due, as far as is known: after an item that was handed over, nothing is looked up.
        """
        handed = self._handed.popleft() if self._handed else None
        item = handed or await self._claimed()
        if item is None:
            return False
        try:
            with self._span(item):
                try:
                    await work(item)
                except LeaseLost:
                    raise
                except Exception as error:  # noqa: BLE001 - no error may lose the item
                    await failed(item, error)
        except LeaseLost:
            log.info("%s: lease lost", self.name(item))
        return handed is None or bool(self._handed)

    async def _claimed(self) -> LeasedT | None:
        async with self._store.transaction() as tx:
            return await self._claim(tx, self._clock.now())

    async def hold(self, tx: Transaction, item: LeasedT) -> None:
        """Renew the lease before something slow or visible happens.

        Raises:
            LeaseLost: Another worker may hold the item by now.
        """
        if not await self._renew(tx, item, self._clock.now() + self._lease):
            raise LeaseLost

    async def retry(self, tx: Transaction, item: LeasedT, error: str = "") -> bool:
        """Return the item to the queue until its backoff is over. Returns False if the lease was lost."""
        return await self._postpone(tx, item, self._clock.now() + self._delay.after(item.attempts), error)

    async def hand_back(self) -> None:
        """Return all items that this worker holds to the queue, to be claimed at once."""
        self._handed.clear()
        async with self._store.transaction() as tx:
            await self._hand_back(tx, self._clock.now())

    def name(self, item: LeasedT) -> str:
        """Return the item's name for the log."""
        raise NotImplementedError

    async def _claim(self, tx: Transaction, now: datetime) -> LeasedT | None:
        raise NotImplementedError

    async def _renew(self, tx: Transaction, item: LeasedT, until: datetime) -> bool:
        raise NotImplementedError

    async def _postpone(self, tx: Transaction, item: LeasedT, until: datetime, error: str) -> bool:
        raise NotImplementedError

    async def _hand_back(self, tx: Transaction, now: datetime) -> None:
        raise NotImplementedError


class LeasedInbox(LeasedQueue[InboxItem]):
    """The inbox: arrivals."""

    def name(self, item: InboxItem) -> str:
        return f"inbox {item.id}"

    async def _claim(self, tx: Transaction, now: datetime) -> InboxItem | None:
        return await tx.inbox.claim(self._owner, now, self._lease)

    async def _renew(self, tx: Transaction, item: InboxItem, until: datetime) -> bool:
        return await tx.inbox.renew(item, until)

    async def _postpone(self, tx: Transaction, item: InboxItem, until: datetime, error: str) -> bool:  # noqa: ARG002 - the inbox keeps no error
        return await tx.inbox.postpone(item, until)

    async def _hand_back(self, tx: Transaction, now: datetime) -> None:
        await tx.inbox.hand_back(self._owner, now)


class LeasedOutbox(LeasedQueue[OutboxItem]):
    """The outbox: entries of some topics.

    Attributes:
        topics: These topics.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        topics: Collection[str],
        lease: timedelta,
        delay: RetryDelay,
        span: Callable[[OutboxItem], AbstractContextManager[None]] | None = None,
    ) -> None:
        super().__init__(store, clock, lease, delay, span)
        self.topics = tuple(topics)

    def name(self, item: OutboxItem) -> str:
        return f"outbox {item.id} ({item.topic})"

    async def add_claimed(self, tx: Transaction, topic: str, key: str, now: datetime) -> OutboxItem | None:
        """Add an entry for this worker alone, to be handed over after the commit; None if an earlier one is open."""
        return await tx.outbox.add_claimed(topic, key, {}, self._owner, now, self._lease)

    def hand_over(self, item: OutboxItem) -> None:
        """Let the next call of `next` process an entry that was stored claimed."""
        self._handed.append(item)

    @property
    def handed(self) -> int:
        """The number of entries that wait for a call of `next`."""
        return len(self._handed)

    async def _claim(self, tx: Transaction, now: datetime) -> OutboxItem | None:
        return await tx.outbox.claim(self._owner, now, self._lease, self.topics)

    async def _renew(self, tx: Transaction, item: OutboxItem, until: datetime) -> bool:
        return await tx.outbox.renew(item, until)

    async def _postpone(self, tx: Transaction, item: OutboxItem, until: datetime, error: str) -> bool:
        return await tx.outbox.retry(item, until, error)

    async def _hand_back(self, tx: Transaction, now: datetime) -> None:
        await tx.outbox.hand_back(self._owner, now)
