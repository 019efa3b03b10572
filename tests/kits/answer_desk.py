"""Answering on a real store; the model, Slack and the clock are fakes."""

import pytest

from bot.domain.question import Arrival, Question
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from storage.store import SqlStore
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer


class AnswerDesk:
    """Answering, with its store and fakes."""

    def __init__(self, store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock) -> None:
        self.store = store
        self.model = model
        self.board = board
        self.neighbours = MemoryNeighbours()
        self.clock = clock
        self.answering = self.worker()

    def worker(self) -> Answering:
        """Return another worker on the same store."""
        return Answering(
            self.store, Classifying(self.store, self.model, self.neighbours, self.clock), self.board, self.clock
        )

    async def work(self) -> None:
        """Answer, and advance the clock, until no arrival is open."""
        for _ in range(200):
            while await self.answering.answer_next():
                pass
            if not await self.open_arrivals():
                return
            self.clock.advance(seconds=3)
        pytest.fail("an arrival never ends")

    async def open_arrivals(self) -> int:
        async with self.store.transaction() as tx:
            return await tx.inbox.open()

    async def ask(self, arrival: Arrival) -> None:
        assert await self.answering.receive(arrival)
        await self.work()

    async def question(self, n: int = 1) -> Question | None:
        async with self.store.transaction() as tx:
            return await tx.questions.at("T1", "C1", f"{n}.000100")

    async def questions(self) -> int:
        async with self.store.transaction() as tx:
            return await tx.questions.count()

    @property
    def answers(self) -> int:
        return sum(map(len, self.board.cards.values()))
