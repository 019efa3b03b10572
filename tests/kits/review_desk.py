"""A review queue on a real store: questions that are answered at once, and the acts that review them."""

from bot.corrections.correcting import Correcting
from bot.corrections.reviewing import Reviewing
from bot.domain.audience import Audience
from bot.domain.correction import Press
from bot.domain.dataset import Row
from bot.domain.gain import QueueReason
from bot.domain.question import Via
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer


class ReviewDesk:
    """Questions that are answered at once, and the acts that review them."""

    def __init__(self, store: SqlStore, clock: StepClock, model: RuleModel) -> None:
        self.store, self.clock, self.model = store, clock, model
        self.board, self.neighbours = FakeAnnouncer(), RowNeighbours(store)
        self.correcting = Correcting(store, self.neighbours, clock)
        self.reviewing = Reviewing(store, self.correcting, self.neighbours, clock)
        self.asked = 0

    async def ask(
        self,
        text: str,
        confidence: float | None = 0.99,
        channel: str = "C1",
        audience: Audience = Audience.UNKNOWN,
    ) -> str:
        """Ask a question; return its id."""
        self.asked += 1
        self.model.confidence = confidence
        asked = arrival(text, n=self.asked, via=Via.DM if channel.startswith("D") else Via.MENTION)
        place = asked.place.model_copy(update={"channel": channel})
        await AnswerDesk(self.store, self.model, self.board, self.clock).ask(
            asked.model_copy(update={"place": place, "audience": audience})
        )
        self.clock.advance(seconds=1)
        return list(self.board.cards)[-1]

    async def queue(self, shown_in: str | None = None) -> list[tuple[str, QueueReason]]:
        return [(one.key, one.why) for one in await self.reviewing.queue(shown_in=shown_in)]

    async def press(self, question: str, category: str, by: str = "U2") -> None:
        seen = (await self.correcting.card(question)).seen
        await self.correcting.settle(Press(question_id=question, category=category, seen=seen, by=by))

    async def add(self, *rows: Row) -> None:
        async with self.store.transaction() as tx:
            for one in rows:
                await tx.rows.put(one)

    async def group(self, group: str) -> list[Row]:
        async with self.store.transaction() as tx:
            return await tx.rows.in_groups([group])
