"""One answered question for staff to correct."""

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import Correction, Press
from bot.domain.dataset import Row
from bot.domain.question import Arrival
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer


class CorrectionDesk:
    """One question that was answered with "labor", and the act that corrects it."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        self.store = store
        self.clock = clock
        self.correcting = Correcting(store, RowNeighbours(store), clock)
        self.question = ""

    async def ask(self, text: str = "有給は何日前？", n: int = 1) -> str:
        return await self.ask_arrival(arrival(text, n))

    async def ask_arrival(self, asked: Arrival) -> str:
        """Have a question answered, and return its id."""
        board = FakeAnnouncer()
        answering = Answering(
            self.store,
            Classifying(self.store, RuleModel({"有給": "labor"}), MemoryNeighbours(), self.clock),
            board,
            self.clock,
        )
        await answering.receive(asked)
        await answering.answer_next()
        (self.question,) = board.cards
        return self.question

    async def press(self, category: str | None, seen: int, by: str = "U2", reason: str | None = None) -> Card:
        press = Press(question_id=self.question, category=category, reason=reason, seen=seen, by=by)
        return await self.correcting.settle(press)

    async def corrections(self) -> list[Correction]:
        async with self.store.transaction() as tx:
            return await tx.corrections.of(self.question)

    async def row(self) -> Row | None:
        async with self.store.transaction() as tx:
            return await tx.rows.get(self.question)

    async def open_deliveries(self) -> int:
        """Return the number of card updates that wait."""
        async with self.store.transaction() as tx:
            return (await tx.outbox.lag(self.clock.now(), "card"))[0]
