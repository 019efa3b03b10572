"""A release's threshold is chosen on held-out rows, and a question below it is a guess that staff are asked about."""

import pytest

from bot.answering import Answering
from bot.cards import card_of
from bot.correcting import Correcting
from bot.domain.certainty import LEAST
from bot.domain.correction import Press
from bot.domain.dataset import Split
from bot.domain.errors import Reason, Refused
from bot.doubting import Doubting
from bot.evaluating import Evaluating
from bot.releasing import Releasing
from storage.store import SqlStore
from tests.bot.things import arrival, rows_of
from tests.fakes import KeptNeighbours, RuleModel, StepClock
from tests.fakes_acts import Board, CountingEstimator


@pytest.fixture
def model() -> RuleModel:
    return RuleModel({"labor": "labor", "it": "it"})


@pytest.fixture
def doubting(store: SqlStore, model: RuleModel, clock: StepClock) -> Doubting:
    rates = {"local": 10_000.0}
    evaluating = Evaluating(
        store, model, clock, neighbours=KeptNeighbours(), estimator=CountingEstimator(), per_second=rates
    )
    return Doubting(store, evaluating)


async def keep(store: SqlStore, *counts: tuple[str, int], split: Split = Split.HELD_OUT) -> None:
    async with store.transaction() as tx:
        for category, count in counts:
            for one in rows_of(split, category, count):
                await tx.rows.put(one)


async def test_the_advised_threshold_is_set_and_training_rows_decide_nothing(
    doubting: Doubting, store: SqlStore, clock: StepClock
) -> None:
    await keep(store, ("labor", LEAST), ("other", 2))
    await keep(store, ("it", 5), split=Split.TRAIN)
    releasing = Releasing(store, clock)
    doubts = await doubting.doubts(await releasing.serving())
    assert doubts.rows == LEAST + 2
    assert doubts.advised
    assert (doubts.out_of_scope.rows, doubts.out_of_scope.caught) == (2, 2)
    done = await doubting.set_advised(await releasing.serving(), "U3")
    assert done.release.unsure_below == doubts.advised.threshold
    assert (await releasing.serving()).unsure_below == doubts.advised.threshold
    await doubting.set(await releasing.serving(), None, "U3")
    assert (await releasing.serving()).unsure_below is None


@pytest.mark.parametrize("counts", [[("labor", LEAST - 1)], [("labor", 30), ("other", 1)], [("accounting", 80)]])
async def test_where_the_rows_do_not_tell_nothing_is_set(
    doubting: Doubting, store: SqlStore, clock: StepClock, counts: list[tuple[str, int]], model: RuleModel
) -> None:
    await keep(store, *counts)
    with pytest.raises(Refused) as refused:
        await doubting.set_advised(await Releasing(store, clock).serving(), "U3")
    assert refused.value.reason is Reason.NO_THRESHOLD
    assert (await Releasing(store, clock).serving()).unsure_below is None


async def test_a_model_that_always_errs_gets_no_threshold(
    doubting: Doubting, store: SqlStore, clock: StepClock, model: RuleModel
) -> None:
    await keep(store, ("labor", 2 * LEAST))
    model.rules = {"labor": "it"}
    doubts = await doubting.doubts(await Releasing(store, clock).serving())
    assert doubts.advised is None
    assert all(cut.risk == 1.0 for cut in doubts.cuts)


@pytest.mark.parametrize(
    ("confidence", "below", "unsure"), [(0.5, 0.6, True), (0.6, 0.6, False), (None, 0.6, False), (0.1, None, False)]
)
async def test_below_the_threshold_the_answer_is_a_guess_until_staff_settle_it(  # noqa: PLR0917 - fixtures
    doubting: Doubting,
    store: SqlStore,
    clock: StepClock,
    board: Board,
    confidence: float | None,
    below: float | None,
    unsure: bool,  # noqa: FBT001 - a case of the table above
) -> None:
    model = RuleModel({"有給": "labor"}, confidence)
    await doubting.set(await Releasing(store, clock).serving(), below, "U3")
    answering = Answering(store, model, KeptNeighbours(), board, clock)
    await answering.receive(arrival())
    await answering.answer_next()
    ((question, (card,)),) = board.cards.items()
    assert card.unsure is unsure
    settled = await Correcting(store, KeptNeighbours(), clock).settle(
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
