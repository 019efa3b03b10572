"""Delivering on a real store; Slack and the clock are fakes."""

from datetime import datetime, timedelta

import pytest

from bot.domain.forgetting import FORGET_FILE_TOPIC
from bot.ports import Transaction
from bot.questions.delivering import LONGEST_DELIVERY_WAIT, Delivering
from storage.store import SqlStore
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeAnnouncer


async def deliveries(tx: Transaction, now: datetime) -> int:
    """Return the number of open entries of the outbox, without the files that another pool deletes."""
    return (await tx.outbox.lag(now))[0] - (await tx.outbox.lag(now, FORGET_FILE_TOPIC))[0]


class DeliveryDesk:
    """Delivering, with its store and fakes."""

    def __init__(self, store: SqlStore, board: FakeAnnouncer, clock: StepClock) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self.delivering = self.worker()

    def worker(self) -> Delivering:
        """Return another worker on the same store."""
        return Delivering(self.store, self.board, self.clock)

    async def lag(self) -> tuple[int, timedelta]:
        async with self.store.transaction() as tx:
            return await tx.outbox.lag(self.clock.now())

    async def waiting(self) -> int:
        """Return the number of entries that are left for `Delivering`; another pool deletes the providers' files."""
        async with self.store.transaction() as tx:
            return await deliveries(tx, self.clock.now())

    async def deliver(self) -> int:
        """Deliver, and advance the clock, until the outbox is empty; return the number of tries."""
        tries = 0
        for _ in range(50):
            while await self.delivering.deliver_next():
                tries += 1
            if not await self.waiting():
                return tries
            self.clock.advance(seconds=LONGEST_DELIVERY_WAIT.total_seconds())
        pytest.fail("something is never delivered")
