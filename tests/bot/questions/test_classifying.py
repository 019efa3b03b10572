"""Provisional answers of the fallback release while the serving one fails, and their recheck."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.dataset import Split
from bot.domain.errors import ModelDown, ModelError, ModelRefused, Trouble
from bot.domain.fallback import FALLBACK_RECALL, Fallback
from bot.domain.prompt import Prompt
from bot.domain.question import ArrivalKind, Notice
from bot.domain.release import ModelName, Release
from bot.domain.similar import Example
from bot.ports import Answer
from bot.questions.answering import ANSWER_TRIES, Answering
from bot.questions.cards import card_of
from bot.questions.classifying import RECHECK_AFTER, REPORT_INTERVAL, Classifying
from bot.questions.delivering import Delivering
from bot.questions.rechecking import LONGEST_RECHECK_WAIT, TRIES_IF_REFUSED, Rechecking
from bot.releases.releasing import Releasing
from storage.database import Database
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT, arrival, rows_of
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer, Fault

LUNA = ModelName(provider="openai", model="luna")
RULE = Fallback(model=BASE, finetuned=True)


class TwoModels:
    """One model per provider. Each raises its own trouble while one is set."""

    def __init__(self) -> None:
        self.luna, self.base = RuleModel({"有給": "labor"}), RuleModel({"有給": "it"})
        self.luna_trouble: ModelError | None = None
        self.base_trouble: ModelError | None = None
        self.luna_may_answer: asyncio.Event | None = None
        self.luna_asked = asyncio.Event()

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        chosen, trouble = (self.luna, self.luna_trouble) if model == LUNA else (self.base, self.base_trouble)
        answer = await chosen.classify(model, prompt, text, examples, explain=explain)
        if self.luna_may_answer and model == LUNA:
            self.luna_asked.set()
            await self.luna_may_answer.wait()
        if trouble:
            raise trouble
        return answer

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        return await self.luna.reason(model, prompt, text, category)


class OutageDesk:
    """Answering, delivering and rechecking on one store, with two models."""

    def __init__(self, store: SqlStore, board: FakeAnnouncer, clock: StepClock, fallback: Fallback = RULE) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self.models = TwoModels()
        self.neighbours = MemoryNeighbours(rows_of(Split.TRAIN, "it", 5))
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
        """Run the next recheck once it is due; return whether there was one."""
        self.clock.advance(seconds=LONGEST_RECHECK_WAIT.total_seconds())
        rechecked = await self.rechecking.recheck_next()
        await self.work()
        return rechecked

    async def open_entries(self) -> int:
        async with self.store.transaction() as tx:
            return (await tx.outbox.lag(self.clock.now()))[0]


@pytest.fixture
async def desk(database: Database, board: FakeAnnouncer, clock: StepClock) -> OutageDesk:
    store = SqlStore(database)
    await Releasing(store, clock, RULE).ensure(PROMPT, LUNA)
    desk = OutageDesk(store, board, clock)
    async with store.transaction() as tx:
        await tx.rows.put(*desk.neighbours.rows)
    return desk


async def test_each_serving_prompt_has_a_fallback_release(desk: OutageDesk) -> None:
    releasing = Releasing(desk.store, desk.clock, RULE)

    async def fallback_releases(prompt: Prompt) -> list[Release]:
        async with desk.store.transaction() as tx:
            return [r for r in await tx.releases.all() if r.model == BASE and r.prompt_id == prompt.id]

    (one,) = await fallback_releases(PROMPT)
    assert one.recall == FALLBACK_RECALL
    await releasing.ensure(PROMPT, LUNA)
    assert await fallback_releases(PROMPT) == [one]
    other = Prompt(language="ja", template="別の言い方で。", categories=PROMPT.categories)
    await releasing.ensure(other, LUNA)
    assert len(await fallback_releases(other)) == 1
    await releasing.rollback("U9")
    assert await fallback_releases(PROMPT) == [one]


async def test_fallback_answers_provisionally_while_serving_release_fails(
    desk: OutageDesk,
) -> None:
    desk.models.luna_trouble = ModelDown("down", Trouble.DOWN)
    await desk.ask()
    card = await desk.card()
    assert (card.verdict.provisional, card.verdict.category) == (True, "it")
    assert len(desk.models.base.shown[0]) == FALLBACK_RECALL, "the fallback gets examples"
    assert desk.board.notices == []
    async with desk.store.transaction() as tx:
        release = await tx.releases.get(card.verdict.release_id)
    assert release is not None
    assert release.model == BASE


async def test_recheck_replaces_the_verdict_and_updates_the_card(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelDown("down")
    await desk.ask()
    desk.clock.advance(seconds=RECHECK_AFTER.total_seconds() - 1)
    assert not await desk.rechecking.recheck_next(), "a provider that just failed is not asked at once"
    for _ in range(3):
        assert await desk.recheck()
    desk.models.luna_trouble = None
    assert await desk.recheck()
    card = await desk.card()
    assert (card.verdict.provisional, card.verdict.category) == (False, "labor")
    (shown,) = desk.board.cards[card.question.id]
    assert shown.verdict == card.verdict
    assert await desk.open_entries() == 0
    assert not await desk.recheck()


@pytest.mark.parametrize(("owner", "told"), [("U7", ["U7"]), ("S1", []), (None, [])])
async def test_new_owner_is_told_after_a_recheck(desk: OutageDesk, owner: str | None, told: list[str]) -> None:
    owners = {"labor": owner, "it": "S1"}
    owned = [c.model_copy(update={"owner": owners.get(c.id)}) for c in PROMPT.categories]
    async with desk.store.transaction() as tx:
        await tx.prompts.put(PROMPT.changed(categories=owned))
    desk.models.luna_trouble = ModelDown("down")
    await desk.ask()
    desk.models.luna_trouble = None
    assert await desk.recheck()
    assert [card.owner for card in desk.board.owners.values()] == told


async def test_settled_verdict_is_rechecked_only_after_an_undo(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelDown("down")
    await desk.ask()
    question_id = (await desk.card()).question.id
    await desk.correcting.settle(Press(question_id=question_id, category="other", seen=0, by="U2"))
    desk.models.luna_trouble = None
    asked = len(desk.models.luna.asked)
    assert await desk.recheck()
    assert len(desk.models.luna.asked) == asked
    assert (await desk.card()).verdict.provisional
    await desk.correcting.undo(question_id, 1, "U2")
    assert await desk.recheck()
    assert not (await desk.card()).verdict.provisional


async def test_settlement_during_a_recheck_wins(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelDown("down")
    await desk.ask()
    question_id = (await desk.card()).question.id
    desk.models.luna_trouble, desk.models.luna_may_answer = None, asyncio.Event()
    desk.clock.advance(seconds=RECHECK_AFTER.total_seconds())
    rechecking = asyncio.create_task(desk.rechecking.recheck_next())
    await desk.models.luna_asked.wait()
    await desk.correcting.settle(Press(question_id=question_id, category=None, seen=0, by="U2"))
    desk.models.luna_may_answer.set()
    assert await rechecking
    await desk.work()
    card = await desk.card()
    assert card.verdict.provisional
    assert card.settled is not None
    assert card.settled.category == "it"
    assert await desk.open_entries() == 0


async def test_recheck_uses_the_edited_text(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelDown("down")
    await desk.ask()
    edit = arrival("有給は何日まで？").model_copy(update={"event_id": "edit", "kind": ArrivalKind.EDITED})
    assert await desk.answering.receive(edit)
    await desk.work()
    desk.models.luna_trouble = None
    while await desk.recheck():
        pass
    assert desk.models.luna.asked[-1] == "有給は何日まで？"
    assert not (await desk.card()).verdict.provisional
    assert await desk.open_entries() == 0


async def test_refused_question_keeps_its_provisional_verdict(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelRefused("no", Trouble.UNUSABLE)
    await desk.ask()
    for _ in range(TRIES_IF_REFUSED):
        assert await desk.recheck()
    assert not await desk.recheck()
    assert (await desk.card()).verdict.provisional


async def test_recheck_waits_while_the_key_is_refused(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelRefused("bad key", Trouble.KEY)
    await desk.ask()
    for _ in range(3 * TRIES_IF_REFUSED):
        assert await desk.recheck()
    desk.models.luna_trouble = None
    assert await desk.recheck()
    assert not (await desk.card()).verdict.provisional


# --- reports of trouble


async def test_each_trouble_is_reported_once_an_hour(desk: OutageDesk) -> None:
    for n, trouble in enumerate((Trouble.DOWN, Trouble.DOWN, Trouble.KEY, Trouble.KEY, Trouble.DOWN), start=1):
        desk.models.luna_trouble = ModelDown("x", trouble)
        await desk.ask(n)
    reported = [("openai/luna", Trouble.DOWN, "v2"), ("openai/luna", Trouble.KEY, "v2")]
    assert desk.board.troubles == reported
    desk.clock.advance(seconds=REPORT_INTERVAL.total_seconds())
    await desk.ask(9)
    assert desk.board.troubles == [*reported, reported[0]]


async def test_asker_is_told_when_the_fallback_fails_too(desk: OutageDesk) -> None:
    desk.models.luna_trouble = ModelDown("down", Trouble.SLOW)
    desk.models.base_trouble = ModelRefused("no model")
    await desk.ask()
    for _ in range(ANSWER_TRIES):
        desk.clock.advance(seconds=60)
        await desk.work()
    assert desk.board.notices == [("1.000100", Notice.FAILED)]
    assert desk.board.troubles == [("openai/luna", Trouble.SLOW, None)]


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble.lasting])
async def test_lasting_trouble_without_fallback_is_told_at_once(desk: OutageDesk, trouble: Trouble) -> None:
    without_fallback = OutageDesk(desk.store, desk.board, desk.clock, Fallback())
    without_fallback.models.luna_trouble = ModelRefused("no", trouble)
    await without_fallback.ask()
    assert without_fallback.models.base.asked == []
    assert without_fallback.board.notices == [("1.000100", Notice.FAILED)]
    assert without_fallback.board.troubles == [("openai/luna", trouble, None)]


async def test_trouble_is_reported_once_if_answer_is_lost(desk: OutageDesk) -> None:
    desk.board.faults.add("tell_trouble", Fault.LOST)
    desk.models.luna_trouble = ModelDown("down")
    await desk.ask()
    desk.clock.advance(seconds=60)
    await desk.work()
    assert len(desk.board.troubles) == 1


async def test_log_holds_no_question_or_provider_message(desk: OutageDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    desk.models.luna_trouble = ModelRefused("sk-secret is no key", Trouble.KEY)
    await desk.ask()
    assert "openai/luna" in caplog.text
    assert "有給" not in caplog.text
    assert "sk-secret" not in caplog.text
