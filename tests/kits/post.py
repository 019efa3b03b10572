"""Delivering on a real store, to a board instead of Slack."""

from datetime import timedelta

import pytest

from bot.questions.delivering import LONGEST_DELIVERY_WAIT, Delivering
from storage.store import SqlStore
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import Board


class DeliveryDesk:
    """Delivering, and people to deliver to."""

    def __init__(self, store: SqlStore, board: Board, clock: StepClock) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self.delivering = self.worker()

    def worker(self) -> Delivering:
        return Delivering(self.store, self.board, self.clock)

    async def lag(self) -> tuple[int, timedelta]:
        async with self.store.transaction() as tx:
            return await tx.outbox.lag(self.clock.now())

    async def deliver(self) -> int:
        """Deliver and let time go on until nothing is left; how many tries it took."""
        tries = 0
        for _ in range(50):
            while await self.delivering.deliver_next():
                tries += 1
            if not (await self.lag())[0]:
                return tries
            self.clock.advance(seconds=LONGEST_DELIVERY_WAIT.total_seconds())
        pytest.fail("something is never delivered")
