"""Thresholds: chosen on held-out rows; an answer below one is a guess that staff are asked about."""

from collections.abc import Sequence

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.certainty import FEWEST_JUDGED
from bot.domain.correction import Press
from bot.domain.dataset import Split
from bot.domain.errors import Reason, Refused
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.questions.answering import Answering
from bot.questions.cards import card_of
from bot.questions.classifying import Classifying
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing
from bot.releases.threshold import Thresholding
from storage.store import SqlStore
from tests.bot.things import arrival, rows_of
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer


@pytest.fixture
def model() -> RuleModel:
    return RuleModel({"labor": "labor", "it": "it"})


def thresholding_of(store: SqlStore, model: RuleModel, clock: StepClock) -> Thresholding:
    rates = {"local": 10_000.0}
    evaluating = Evaluating(
        store, model, clock, neighbours=MemoryNeighbours(), estimator=CountingEstimator(), per_second=rates
    )
    return Thresholding(store, evaluating, clock)


@pytest.fixture
def thresholding(store: SqlStore, model: RuleModel, clock: StepClock) -> Thresholding:
    return thresholding_of(store, model, clock)


async def store_rows(store: SqlStore, *counts: tuple[str, int], split: Split = Split.HELD_OUT) -> None:
    async with store.transaction() as tx:
        for category, count in counts:
            for one in rows_of(split, category, count):
                await tx.rows.put(one)


class HonestModel(RuleModel):
    """A model that is unsure of everything it does not know."""

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        answer = await super().classify(model, prompt, text, examples, explain=explain)
        known = any(word in text for word in self.rules)
        return answer.model_copy(update={"confidence": 0.9 if known else 0.2})


async def test_advised_threshold_ignores_training_rows(store: SqlStore, clock: StepClock) -> None:
    await store_rows(store, ("labor", 60), ("it", 30), ("other", 2))
    await store_rows(store, ("it", 50), split=Split.TRAIN)
    releasing, thresholding = Releasing(store, clock), thresholding_of(store, HonestModel({"labor": "labor"}), clock)
    doubts = await thresholding.report(await releasing.serving())
    assert doubts.rows == 92
    assert doubts.advised
    assert (doubts.advised.threshold, doubts.advised.accepted, doubts.advised.wrong) == (0.9, 60, 0)
    assert (doubts.out_of_scope.rows, doubts.out_of_scope.named) == (2, 2)
    done = await thresholding.set_advised(await releasing.serving(), "U3")
    assert done.release.unsure_below == (await releasing.serving()).unsure_below == 0.9
    assert (done.out_of_scope.named, done.out_of_scope.caught) == (0, 2)
    await thresholding.set(await releasing.serving(), None, "U3")
    assert (await releasing.serving()).unsure_below is None


async def test_no_threshold_is_set_when_none_needed(
    thresholding: Thresholding, store: SqlStore, clock: StepClock
) -> None:
    await store_rows(store, ("labor", FEWEST_JUDGED))
    done = await thresholding.set_advised(await Releasing(store, clock).serving(), "U3")
    assert done.advised
    assert done.advised.coverage == 1.0
    assert (await Releasing(store, clock).serving()).unsure_below is None


@pytest.mark.parametrize(
    "counts", [[("labor", FEWEST_JUDGED - 1)], [("labor", 30), ("other", 1)], [("accounting", 80)]]
)
async def test_threshold_is_refused_when_rows_are_inconclusive(
    thresholding: Thresholding, store: SqlStore, clock: StepClock, counts: list[tuple[str, int]], model: RuleModel
) -> None:
    await store_rows(store, *counts)
    with pytest.raises(Refused) as refused:
        await thresholding.set_advised(await Releasing(store, clock).serving(), "U3")
    assert refused.value.reason is Reason.NO_THRESHOLD
    assert (await Releasing(store, clock).serving()).unsure_below is None


async def test_always_wrong_model_gets_no_threshold(
    thresholding: Thresholding, store: SqlStore, clock: StepClock, model: RuleModel
) -> None:
    await store_rows(store, ("labor", 2 * FEWEST_JUDGED))
    model.rules = {"labor": "it"}
    doubts = await thresholding.report(await Releasing(store, clock).serving())
    assert doubts.advised is None
    assert all(cut.risk == 1.0 for cut in doubts.cuts)


@pytest.mark.parametrize(
    ("confidence", "below", "unsure"), [(0.5, 0.6, True), (0.6, 0.6, False), (None, 0.6, False), (0.1, None, False)]
)
async def test_answer_below_threshold_is_unsure_until_settled(  # noqa: PLR0917 - fixtures
    thresholding: Thresholding,
    store: SqlStore,
    clock: StepClock,
    board: FakeAnnouncer,
    confidence: float | None,
    below: float | None,
    unsure: bool,  # noqa: FBT001 - a case of the table above
) -> None:
    model = RuleModel({"有給": "labor"}, confidence)
    await thresholding.set(await Releasing(store, clock).serving(), below, "U3")
    answering = Answering(store, Classifying(store, model, MemoryNeighbours(), clock), board, clock)
    await answering.receive(arrival())
    await answering.answer_next()
    ((question, (card,)),) = board.cards.items()
    assert card.unsure is unsure
    settled = await Correcting(store, MemoryNeighbours(), clock).settle(
        Press(question_id=question, category="it", seen=0, by="U2")
    )
    assert settled.settled
    async with store.transaction() as tx:
        kept = await tx.rows.get(question)
        shown = await card_of(tx, card.question)
    assert kept
    assert kept.category == "it"
    assert shown
    assert shown.settled
