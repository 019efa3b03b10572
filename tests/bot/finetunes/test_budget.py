"""The month's spend by the price table, and the budget that limits fine-tunes."""

from datetime import UTC, datetime

import pytest

from bot.domain.budget import is_billed, month_of
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.question import Verdict
from bot.domain.release import ModelName
from bot.finetunes.budget import Spending
from bot.providers.tokens import OfflineEstimator
from bot.releases.releasing import add_candidate
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.things import PROMPT, arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer, FakeTrainer
from tests.kits.finetune_bench import FinetuneBench


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


async def month(
    bench: FinetuneBench, budget: float | None = None
) -> tuple[float, float, tuple[str, ...], float | None]:
    async with bench.store.transaction() as tx:
        spend = await Spending(CountingEstimator(), bench.clock, budget).month(tx)
    return spend.finetunes, spend.answers, spend.unpriced, spend.left


async def test_empty_month_costs_nothing(bench: FinetuneBench) -> None:
    assert await month(bench) == (0.0, 0.0, (), None)
    assert await month(bench, 5.0) == (0.0, 0.0, (), 5.0)


async def test_finetune_costs_its_estimate_until_it_ends(bench: FinetuneBench) -> None:
    planned = await bench.planned()
    assert (await month(bench))[0] == 0.0
    await bench.acts.starting.confirm(planned.id, "U9")
    assert (await month(bench))[0] == pytest.approx(planned.estimate.usd)
    await bench.acts.following.follow()
    job = bench.trainer.jobs["job-0"]
    bench.trainer.jobs["job-0"] = job.model_copy(
        update={"status": "succeeded", "model": "ft:base:1", "trained_tokens": 7_000_000}
    )
    await bench.acts.following.follow()
    assert (await month(bench))[0] == pytest.approx(7.0)


async def test_cancelled_job_is_billed_and_failed_is_not(bench: FinetuneBench) -> None:
    running = await bench.running()
    assert is_billed(running.model_copy(update={"state": FinetuneState.CANCELLED}))
    assert not is_billed(running.model_copy(update={"state": FinetuneState.CANCELLED, "job_id": None}))
    assert not is_billed(running.model_copy(update={"state": FinetuneState.FAILED}))
    assert is_billed(running.model_copy(update={"state": FinetuneState.FAILED, "trained_tokens": 1}))


async def test_answers_count_and_unpriced_models_are_named(
    bench: FinetuneBench, store: SqlStore, model: RuleModel, board: FakeAnnouncer, clock: StepClock
) -> None:
    await AnswerDesk(store, model, board, clock).ask(arrival())
    (question,) = board.cards
    before = await month(bench, 1.0)
    assert before[1] > 0
    assert before[3] == pytest.approx(1.0 - before[1])
    async with bench.store.transaction() as tx:
        first = await tx.questions.verdict(question)
        assert first is not None
        unpriced = first.model_copy(update={"id": "v2"})
        house = await add_candidate(
            tx, clock.now(), ModelName.parse("house/big"), prompt_id=PROMPT.id, by="U9", why="test"
        )
        await tx.questions.add_verdict(Verdict.model_validate(unpriced.model_dump() | {"release_id": house.id}))
    assert await month(bench, 1.0) == (before[0], before[1], ("house/big",), before[3])


async def test_previous_month_does_not_count(bench: FinetuneBench) -> None:
    await bench.confirmed()
    assert (await month(bench))[0] > 0
    bench.clock.advance(days=10)
    assert (await month(bench))[0] == 0.0


def test_month_begins_on_its_first_day_in_utc() -> None:
    assert month_of(datetime(2026, 11, 30, 23, 59, 59, 999, tzinfo=UTC)) == datetime(2026, 11, 1, tzinfo=UTC)


async def test_finetune_above_the_budget_is_refused(bench: FinetuneBench) -> None:
    finetune = await bench.planned()
    assert finetune.estimate.usd is not None
    bench.budget = finetune.estimate.usd - 1e-6
    bench.acts = bench.new_acts()
    with pytest.raises(Refused) as refused:
        await bench.acts.planning.plan("U9", "ja")
    assert refused.value.reason is Reason.OVER_BUDGET
    assert set(refused.value.facts) == {"usd", "left", "spent", "budget"}
    with pytest.raises(Refused) as refused:  # planned while the budget was higher
        await bench.acts.starting.confirm(finetune.id, "U9")
    assert refused.value.reason is Reason.OVER_BUDGET
    assert (await bench.reload(finetune)).state is FinetuneState.PLANNED
    bench.budget = finetune.estimate.usd
    bench.acts = bench.new_acts()
    assert (await bench.acts.starting.confirm(finetune.id, "U9")).state is FinetuneState.CONFIRMED


async def test_vectors_of_a_paid_encoder_count(bench: FinetuneBench) -> None:
    async with bench.store.transaction() as tx:
        await tx.vectors.spend("openai/text-embedding-3-small", 2_000_000, bench.clock.now())
        await tx.vectors.spend("acme/embed", 5, bench.clock.now())
        spend = await Spending(OfflineEstimator(), bench.clock, 1.0).month(tx)
    assert [spend.answers, spend.left] == pytest.approx([0.04, 0.96])
    assert spend.unpriced == ("acme/embed",)
