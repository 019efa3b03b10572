"""The owner of a question's new category is told once, and only while the question is theirs."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.release import ReleaseState
from bot.questions.delivering import DELIVERY_LEASE
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, PROMPT, arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.delivery_desk import DeliveryDesk
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, Fault
from tests.kits.migrated import migrated_postgresql

OWNERS = {"labor": "SLABOR", "it": "UIT", "other": None}
OWNED = PROMPT.model_copy(
    update={"categories": tuple(c.model_copy(update={"owner": OWNERS[c.id]}) for c in PROMPT.categories)}
)


class OwnerDesk:
    """One question answered with "labor", the act that settles it, and delivery to a fake Slack."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.clock, self.board = store, StepClock(), FakeAnnouncer()
        self.correcting = Correcting(store, RowNeighbours(store), self.clock)
        self.deliveries = DeliveryDesk(store, self.board, self.clock)

    async def ask(self, confidence: float = 0.9) -> None:
        await Releasing(self.store, self.clock).ensure(OWNED, BASE)
        await AnswerDesk(self.store, RuleModel({"有給": "labor"}, confidence), self.board, self.clock).ask(arrival())

    @property
    def question(self) -> str:
        (question,) = self.board.cards
        return question

    async def settle(self, category: str, by: str = "U2") -> Card:
        seen = (await self.correcting.card(self.question)).seen
        press = Press(question_id=self.question, category=category, seen=seen, by=by)
        return await self.correcting.settle(press)

    async def undo(self) -> None:
        await self.correcting.undo(self.question, (await self.correcting.card(self.question)).seen, "U2")

    async def owners_told(self) -> list[str | None]:
        """Deliver everything; return the owners told so far. The asker is told as well, even if nobody owns it now."""
        await self.deliveries.deliver()
        told = [card for card in self.board.owners.values() if card.owner]
        return [card.owner for card in told if card.settled is None or card.settled.by != card.owner]


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, fresh: Fresh) -> AsyncIterator[Database]:
    database = Database(fresh() if request.param == "sqlite" else migrated_postgresql())
    yield database
    await database.close()


@pytest.fixture
async def desk(database: Database) -> OwnerDesk:
    desk = OwnerDesk(SqlStore(database))
    await desk.ask()
    return desk


async def test_only_a_new_owner_is_told(desk: OwnerDesk) -> None:
    await desk.settle("labor")
    assert await desk.owners_told() == []
    await desk.settle("it")
    assert await desk.owners_told() == ["UIT"]
    await desk.settle("it", by="U3")
    assert await desk.owners_told() == ["UIT"]
    await desk.settle("labor")
    assert await desk.owners_told() == ["UIT", "SLABOR"]


async def test_nobody_is_told_without_another_owner(desk: OwnerDesk) -> None:
    await desk.settle("other")
    await desk.settle("it", by="UIT")
    assert await desk.owners_told() == []


async def test_owner_who_lost_the_question_is_not_told(desk: OwnerDesk) -> None:
    await desk.settle("it")
    await desk.undo()
    assert await desk.owners_told() == []
    await desk.settle("it")
    await desk.settle("labor")
    await desk.settle("it")
    assert await desk.owners_told() == ["UIT"], "told once, although the question was theirs twice"


async def test_owner_is_told_when_a_guess_is_settled(database: Database) -> None:
    """The card of a guess mentions staff but no owner."""
    desk = OwnerDesk(SqlStore(database))
    await desk.ask(confidence=0.3)
    async with desk.store.transaction() as tx:
        serving = await tx.releases.serving()
        assert serving
        assert serving.state is ReleaseState.SERVING
        await tx.releases.set_unsure_below(serving.id, 0.5, None)
    await desk.settle("labor")
    assert await desk.owners_told() == ["SLABOR"]


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_owner_is_told_once_despite_slack_faults(desk: OwnerDesk, fault: Fault) -> None:
    await desk.settle("it")
    desk.board.faults.add("announce_owner", fault, 3)
    assert await desk.owners_told() == ["UIT"]
    await desk.settle("it", by="U3")
    assert await desk.owners_told() == ["UIT"]


async def test_next_worker_looks_first_after_a_crash(desk: OwnerDesk) -> None:
    await desk.settle("it")
    desk.board.faults.add("announce_owner", Fault.KILLED)
    assert await desk.deliveries.worker().deliver_next(), "the card"
    with pytest.raises(asyncio.CancelledError):
        await desk.deliveries.worker().deliver_next()
    desk.clock.advance(seconds=DELIVERY_LEASE.total_seconds())
    assert await desk.owners_told() == ["UIT"]
    assert desk.board.owner_again == [False, True]


steps = st.lists(st.sampled_from(["labor", "it", "other", "undo", "deliver"]), max_size=8)


@settings(max_examples=12, deadline=None)
@given(steps)
def test_last_owner_told_owns_the_question(fresh: Fresh, story: list[str]) -> None:
    """The card itself tells the first owner, and an undo gives the question back to them."""

    async def run_story() -> None:
        database = Database(fresh())
        try:
            desk = OwnerDesk(SqlStore(database))
            await desk.ask()
            last_told: str | None = "SLABOR"
            known = 0
            for step in [*story, "deliver"]:
                card = await desk.correcting.card(desk.question)
                if step == "deliver":
                    told = await desk.owners_told()
                    last_told, known = [last_told, *told[known:]][-1], len(told)
                    assert card.settled is None or card.owner in (None, last_told)
                elif step != "undo":
                    await desk.settle(step)
                elif card.settled:
                    await desk.undo()
                    last_told = "SLABOR"
        finally:
            await database.close()

    asyncio.run(run_story())
