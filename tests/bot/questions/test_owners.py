"""Who owns the category that a question was moved to is told once, and only as long as it is theirs."""

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
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import Board, Fault
from tests.kits.post import DeliveryDesk
from tests.kits.postgres import make_database

OWNERS = {"labor": "SLABOR", "it": "UIT", "other": None}
OWNED = PROMPT.model_copy(
    update={"categories": tuple(c.model_copy(update={"owner": OWNERS[c.id]}) for c in PROMPT.categories)}
)


class Counter:
    """A question of labor's that was answered, staff who settle it, and the post."""

    def __init__(self, store: SqlStore) -> None:
        self.store, self.clock, self.board = store, StepClock(), Board()
        self.correcting = Correcting(store, RowNeighbours(store), self.clock)
        self.post = DeliveryDesk(store, self.board, self.clock)

    async def open(self, confidence: float = 0.9) -> None:
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

    async def told(self) -> list[str | None]:
        """Deliver what waits; who has been told so far."""
        await self.post.deliver()
        return [card.owner for card in self.board.owners.values()]


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, fresh: Fresh) -> AsyncIterator[Database]:
    database = Database(fresh() if request.param == "sqlite" else make_database())
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def counter(database: Database) -> Counter:
    counter = Counter(SqlStore(database))
    await counter.open()
    return counter


async def test_a_new_owner_is_told_and_the_same_one_is_not(counter: Counter) -> None:
    await counter.settle("labor")
    assert await counter.told() == []
    await counter.settle("it")
    assert await counter.told() == ["UIT"]
    await counter.settle("it", by="U3")
    assert await counter.told() == ["UIT"]
    await counter.settle("labor")
    assert await counter.told() == ["UIT", "SLABOR"]


async def test_nobody_is_told_where_there_is_no_owner_or_the_owner_did_it(counter: Counter) -> None:
    await counter.settle("other")
    await counter.settle("it", by="UIT")
    assert await counter.told() == []


async def test_what_was_taken_back_or_given_on_before_it_was_told_is_not_told(counter: Counter) -> None:
    await counter.settle("it")
    await counter.undo()
    assert await counter.told() == []
    await counter.settle("it")
    await counter.settle("labor")
    await counter.settle("it")
    assert await counter.told() == ["UIT"], "once, though it was theirs twice"


async def test_after_a_guess_its_owner_is_told_too(database: Database) -> None:
    """The card of a guess mentions staff and no owner."""
    counter = Counter(SqlStore(database))
    await counter.open(confidence=0.3)
    async with counter.store.transaction() as tx:
        serving = await tx.releases.serving()
        assert serving
        assert serving.state is ReleaseState.SERVING
        await tx.releases.set_unsure_below(serving.id, 0.5)
    await counter.settle("labor")
    assert await counter.told() == ["SLABOR"]


@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST])
async def test_it_is_tried_until_it_succeeds_and_told_once(counter: Counter, fault: Fault) -> None:
    await counter.settle("it")
    counter.board.faults.add("announce_owner", fault, 3)
    assert await counter.told() == ["UIT"]
    await counter.settle("it", by="U3")
    assert await counter.told() == ["UIT"]


async def test_a_worker_that_died_is_followed_by_another_that_looks_first(counter: Counter) -> None:
    await counter.settle("it")
    counter.board.faults.add("announce_owner", Fault.KILLED)
    assert await counter.post.worker().deliver_next(), "the card"
    with pytest.raises(asyncio.CancelledError):
        await counter.post.worker().deliver_next()
    counter.clock.advance(seconds=DELIVERY_LEASE.total_seconds())
    assert await counter.told() == ["UIT"]
    assert counter.board.owner_tries == [False, True]


steps = st.lists(st.sampled_from(["labor", "it", "other", "undo", "deliver"]), max_size=8)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_whatever_is_pressed_the_last_to_hear_of_it_is_who_owns_it(fresh: Fresh, story: list[str]) -> None:
    """The first owner hears of it by the card, and an undo leaves it to them."""

    async def live() -> None:
        database = Database(fresh())
        try:
            counter = Counter(SqlStore(database))
            await counter.open()
            heard: str | None = "SLABOR"
            for step in [*story, "deliver"]:
                card = await counter.correcting.card(counter.question)
                if step == "deliver":
                    before = len(counter.board.owners)
                    heard = [heard, *(await counter.told())[before:]][-1]
                    assert card.settled is None or card.owner in (None, heard)
                elif step != "undo":
                    await counter.settle(step)
                elif card.settled:
                    await counter.undo()
                    heard = "SLABOR"
        finally:
            await database.close()

    asyncio.run(live())
