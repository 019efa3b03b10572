"""A desk that answers: the acts of a question on a real store; model, Slack and time are fakes."""

import pytest

from bot.domain.question import Arrival, Question
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from storage.store import SqlStore
from tests.kits.fakes import KeptNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import Board


class AnswerDesk:
    """Answering, its surroundings, and time."""

    def __init__(self, store: SqlStore, model: RuleModel, board: Board, clock: StepClock) -> None:
        self.store = store
        self.model = model
        self.board = board
        self.neighbours = KeptNeighbours()
        self.clock = clock
        self.answering = self.worker()

    def worker(self) -> Answering:
        return Answering(
            self.store, Classifying(self.store, self.model, self.neighbours, self.clock), self.board, self.clock
        )

    async def work(self) -> None:
        """Work and let time go on until nothing is open; fails where that never comes."""
        for _ in range(200):
            while await self.answering.answer_next():
                pass
            if not await self.open():
                return
            self.clock.advance(seconds=3)
        pytest.fail("an arrival never ends")

    async def open(self) -> int:
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
