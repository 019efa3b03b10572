"""While the serving release gives no answer, the fallback one answers provisionally; then there is a second look."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.dataset import Split
from bot.domain.errors import ModelDown, ModelError, ModelRefused, Trouble
from bot.domain.fallback import RECALL, Fallback
from bot.domain.prompt import Prompt
from bot.domain.question import ArrivalKind, Notice
from bot.domain.release import ModelName, Release
from bot.domain.similar import Example
from bot.ports import Answer
from bot.questions.answering import ANSWER_TRIES, Answering
from bot.questions.cards import card_of
from bot.questions.classifying import RECHECK_AFTER, TOLD_EVERY, Classifying
from bot.questions.delivering import Delivering
from bot.questions.rechecking import LONGEST_RECHECK_WAIT, REFUSALS, Rechecking
from bot.releases.releasing import Releasing
from storage.database import Database
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, arrival, rows_of
from tests.kits.fakes import KeptNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import Board, Fault

LUNA = ModelName(provider="openai", model="luna")
RULE = Fallback(model=BASE, finetuned=True)


class TwoModels:
    """A model for each provider; the one of `openai` is out of order while `trouble` is set."""

    def __init__(self) -> None:
        self.luna, self.base = RuleModel({"有給": "labor"}), RuleModel({"有給": "it"})
        self.trouble: ModelError | None = None
        self.base_trouble: ModelError | None = None
        self.thinking: asyncio.Event | None = None
        self.asked = asyncio.Event()
        """The model of `openai` was."""

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        asked, trouble = (self.luna, self.trouble) if model == LUNA else (self.base, self.base_trouble)
        answer = await asked.classify(model, prompt, text, examples)
        if self.thinking and model == LUNA:
            self.asked.set()
            await self.thinking.wait()
        if trouble:
            raise trouble
        return answer

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        return await self.luna.reason(model, prompt, text, category)


class Outage:
    """All that answers, delivers and looks again, and time."""

    def __init__(self, store: SqlStore, board: Board, clock: StepClock, fallback: Fallback = RULE) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self.models = TwoModels()
        self.neighbours = KeptNeighbours(rows_of(Split.TRAIN, "it", 5))
        classifying = Classifying(store, self.models, self.neighbours, clock, fallback)
        self.answering = Answering(store, classifying, board, clock)
        self.delivering = Delivering(store, board, clock)
        self.rechecking = Rechecking(store, classifying, clock)
        self.correcting = Correcting(store, self.neighbours, clock)

    async def ask(self, n: int = 1, text: str = "有給は何日前？") -> None:
        assert await self.answering.receive(arrival(text, n))
        await self.work()

    async def work(self) -> None:
        while await self.answering.answer_next() or await self.delivering.deliver_next():
            pass

    async def card(self, n: int = 1) -> Card:
        async with self.store.transaction() as tx:
            question = await tx.questions.at("T1", "C1", f"{n}.000100")
            card = await card_of(tx, question) if question else None
        assert card is not None
        return card

    async def recheck(self) -> bool:
        """The next second look, when it is due."""
        self.clock.advance(seconds=LONGEST_RECHECK_WAIT.total_seconds())
        looked = await self.rechecking.recheck_next()
        await self.work()
        return looked

    async def left(self) -> int:
        async with self.store.transaction() as tx:
            return (await tx.outbox.lag(self.clock.now()))[0]


@pytest.fixture
async def outage(database: Database, board: Board, clock: StepClock) -> Outage:
    store = SqlStore(database)
    await Releasing(store, clock, RULE).ensure(PROMPT, LUNA)
    return Outage(store, board, clock)


async def test_the_fallback_release_stands_by_from_the_start_and_after_each_switch(outage: Outage) -> None:
    releasing = Releasing(outage.store, outage.clock, RULE)

    async def standing_by(prompt: Prompt) -> list[Release]:
        async with outage.store.transaction() as tx:
            return [r for r in await tx.releases.all() if r.model == BASE and r.prompt_id == prompt.id]

    (one,) = await standing_by(PROMPT)
    assert one.recall == RECALL
    await releasing.ensure(PROMPT, LUNA)
    assert await standing_by(PROMPT) == [one]
    other = Prompt(language="ja", template="別の言い方で。", categories=PROMPT.categories)
    await releasing.ensure(other, LUNA)
    assert len(await standing_by(other)) == 1
    await releasing.rollback("U9")
    assert await standing_by(PROMPT) == [one]


async def test_while_the_serving_release_gives_no_answer_the_fallback_one_answers_provisionally(
    outage: Outage,
) -> None:
    outage.models.trouble = ModelDown("down", Trouble.DOWN)
    await outage.ask()
    card = await outage.card()
    assert (card.verdict.provisional, card.verdict.category) == (True, "it")
    assert len(outage.models.base.shown[0]) == RECALL, "it is shown examples"
    assert outage.board.notices == []
    async with outage.store.transaction() as tx:
        release = await tx.releases.get(card.verdict.release_id)
    assert release is not None
    assert release.model == BASE


async def test_the_verdict_is_looked_at_again_and_the_card_says_what_came_of_it(outage: Outage) -> None:
    outage.models.trouble = ModelDown("down")
    await outage.ask()
    outage.clock.advance(seconds=RECHECK_AFTER.total_seconds() - 1)
    assert not await outage.rechecking.recheck_next(), "a provider that just failed is left in peace"
    for _ in range(3):
        assert await outage.recheck()
    outage.models.trouble = None
    assert await outage.recheck()
    card = await outage.card()
    assert (card.verdict.provisional, card.verdict.category) == (False, "labor")
    (shown,) = outage.board.cards[card.question.id]
    assert shown.verdict == card.verdict
    assert await outage.left() == 0
    assert not await outage.recheck()


@pytest.mark.parametrize(("owner", "told"), [("U7", ["U7"]), ("S1", []), (None, [])])
async def test_who_owns_the_question_after_the_second_look_is_told(
    outage: Outage, owner: str | None, told: list[str]
) -> None:
    owners = {"labor": owner, "it": "S1"}
    owned = [c.model_copy(update={"owner": owners.get(c.id)}) for c in PROMPT.categories]
    async with outage.store.transaction() as tx:
        await tx.prompts.put(PROMPT.changed(categories=owned))
    outage.models.trouble = ModelDown("down")
    await outage.ask()
    outage.models.trouble = None
    assert await outage.recheck()
    assert [card.owner for card in outage.board.owners.values()] == told


async def test_what_staff_settled_meanwhile_stays_and_is_looked_at_when_they_take_it_back(outage: Outage) -> None:
    outage.models.trouble = ModelDown("down")
    await outage.ask()
    question_id = (await outage.card()).question.id
    await outage.correcting.settle(Press(question_id=question_id, category="other", seen=0, by="U2"))
    outage.models.trouble = None
    asked = len(outage.models.luna.asked)
    assert await outage.recheck()
    assert len(outage.models.luna.asked) == asked
    assert (await outage.card()).verdict.provisional
    await outage.correcting.undo(question_id, 1, "U2")
    assert await outage.recheck()
    assert not (await outage.card()).verdict.provisional


async def test_a_press_while_the_model_thinks_again_stays(outage: Outage) -> None:
    outage.models.trouble = ModelDown("down")
    await outage.ask()
    question_id = (await outage.card()).question.id
    outage.models.trouble, outage.models.thinking = None, asyncio.Event()
    outage.clock.advance(seconds=RECHECK_AFTER.total_seconds())
    looking = asyncio.create_task(outage.rechecking.recheck_next())
    await outage.models.asked.wait()
    await outage.correcting.settle(Press(question_id=question_id, category=None, seen=0, by="U2"))
    outage.models.thinking.set()
    assert await looking
    await outage.work()
    card = await outage.card()
    assert card.verdict.provisional
    assert card.settled is not None
    assert card.settled.category == "it"
    assert await outage.left() == 0


async def test_an_edit_while_the_model_is_away_is_looked_at_with_its_new_text(outage: Outage) -> None:
    outage.models.trouble = ModelDown("down")
    await outage.ask()
    edit = arrival("有給は何日まで？").model_copy(update={"event_id": "edit", "kind": ArrivalKind.EDITED})
    assert await outage.answering.receive(edit)
    await outage.work()
    outage.models.trouble = None
    while await outage.recheck():
        pass
    assert outage.models.luna.asked[-1] == "有給は何日まで？"
    assert not (await outage.card()).verdict.provisional
    assert await outage.left() == 0


async def test_a_question_that_the_model_refuses_keeps_its_provisional_answer(outage: Outage) -> None:
    outage.models.trouble = ModelRefused("no", Trouble.UNUSABLE)
    await outage.ask()
    for _ in range(REFUSALS):
        assert await outage.recheck()
    assert not await outage.recheck()
    assert (await outage.card()).verdict.provisional


async def test_a_refused_key_is_waited_for(outage: Outage) -> None:
    outage.models.trouble = ModelRefused("bad key", Trouble.KEY)
    await outage.ask()
    for _ in range(3 * REFUSALS):
        assert await outage.recheck()
    outage.models.trouble = None
    assert await outage.recheck()
    assert not (await outage.card()).verdict.provisional


# --- who is told


async def test_those_who_run_the_bot_are_told_once_an_hour_for_each_kind_of_trouble(outage: Outage) -> None:
    for n, trouble in enumerate((Trouble.DOWN, Trouble.DOWN, Trouble.KEY, Trouble.KEY, Trouble.DOWN), start=1):
        outage.models.trouble = ModelDown("x", trouble)
        await outage.ask(n)
    told = [("openai/luna", Trouble.DOWN, "local/base"), ("openai/luna", Trouble.KEY, "local/base")]
    assert outage.board.troubles == told
    outage.clock.advance(seconds=TOLD_EVERY.total_seconds())
    await outage.ask(9)
    assert outage.board.troubles == [*told, told[0]]


async def test_where_the_fallback_release_fails_too_the_asker_is_told(outage: Outage) -> None:
    outage.models.trouble = ModelDown("down", Trouble.SLOW)
    outage.models.base_trouble = ModelRefused("no model")
    await outage.ask()
    for _ in range(ANSWER_TRIES):
        outage.clock.advance(seconds=60)
        await outage.work()
    assert outage.board.notices == [("1.000100", Notice.FAILED)]
    assert outage.board.troubles == [("openai/luna", Trouble.SLOW, None)]


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble.lasting])
async def test_without_a_fallback_what_only_people_end_is_told_at_once(outage: Outage, trouble: Trouble) -> None:
    alone = Outage(outage.store, outage.board, outage.clock, Fallback())
    alone.models.trouble = ModelRefused("no", trouble)
    await alone.ask()
    assert alone.models.base.asked == []
    assert alone.board.notices == [("1.000100", Notice.FAILED)]
    assert alone.board.troubles == [("openai/luna", trouble, None)]


async def test_trouble_is_told_once_though_slacks_answer_is_lost(outage: Outage) -> None:
    outage.board.faults.add("tell_trouble", Fault.LOST)
    outage.models.trouble = ModelDown("down")
    await outage.ask()
    outage.clock.advance(seconds=60)
    await outage.work()
    assert len(outage.board.troubles) == 1


async def test_neither_the_question_nor_the_providers_words_are_logged(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    outage.models.trouble = ModelRefused("sk-secret is no key", Trouble.KEY)
    await outage.ask()
    assert "openai/luna" in caplog.text
    assert "有給" not in caplog.text
    assert "sk-secret" not in caplog.text
