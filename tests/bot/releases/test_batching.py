"""Batches: submitted once, followed through faults and restarts, and reported once."""

from datetime import timedelta

import pytest

from bot.domain.batch import BatchState
from bot.domain.dataset import Split
from bot.domain.errors import ModelRefused, Reason, Refused
from bot.domain.release import Release
from bot.forgetting.reaching import Reaching
from bot.releases.batching import BATCH_SEARCHES, BATCH_UNANSWERED, POST_LEASE, Batching
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing
from storage.store import SqlStore
from tests.bot.things import no_attacks, rows_of
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer, FakeTrainer, Fault
from tests.kits.fakes_batcher import LABOR, KeepingBatcher

ROWS = rows_of(Split.HELD_OUT, "labor", 4)


@pytest.fixture
def batcher() -> KeepingBatcher:
    return KeepingBatcher()


@pytest.fixture
def evaluating(store: SqlStore, model: RuleModel, clock: StepClock) -> Evaluating:
    return Evaluating(
        store, model, clock, neighbours=MemoryNeighbours(), estimator=CountingEstimator(), pauses=(), attacks=no_attacks
    )


@pytest.fixture
def batching(store: SqlStore, evaluating: Evaluating, batcher: KeepingBatcher, clock: StepClock) -> Batching:
    return Batching(store, evaluating, batcher, clock)


@pytest.fixture
def reaching(store: SqlStore, batcher: KeepingBatcher, clock: StepClock) -> Reaching:
    return Reaching(store, FakeAnnouncer(), FakeTrainer(), clock, batcher=batcher)


@pytest.fixture
async def release(store: SqlStore, clock: StepClock) -> Release:
    async with store.transaction() as tx:
        await tx.rows.put(*ROWS)
    return await Releasing(store, clock).serving()


async def test_batch_answers_are_stored_and_never_asked_again(  # noqa: PLR0917 - its parts
    batching: Batching,
    evaluating: Evaluating,
    batcher: KeepingBatcher,
    release: Release,
    model: RuleModel,
    reaching: Reaching,
    clock: StepClock,
) -> None:
    batch = await batching.start(release, "U9", "ja", "C1")
    assert batch
    assert (batch.state, batch.channel, batch.language, batch.requested_by) == (BatchState.RUNNING, "C1", "ja", "U9")
    keys = batcher.batches[batch.id]
    assert (len(model.asked), len(keys)) == (1, 3), "the first question is asked directly"
    with pytest.raises(Refused) as refused:
        await batching.start(release, "U9", "ja", "C1")
    assert refused.value.reason is Reason.BATCH_RUNNING
    batcher.faults.add("state", Fault.DOWN)
    assert await batching.follow() == []
    assert await batching.follow() == []
    batcher.ended[batch.id] = {keys[0]: LABOR, keys[1]: LABOR, keys[2]: ModelRefused("oh")}
    ((ended, error),) = await batching.follow()
    assert (ended.id, ended.state, error) == (batch.id, BatchState.ANSWERED, None)
    batcher.faults.add("delete_files", Fault.DOWN)
    assert await reaching.reach_next()
    assert (batcher.deleted, await reaching.reach_next()) == ([], False)
    clock.advance(seconds=60)
    assert await reaching.reach_next()
    assert (batcher.deleted, await reaching.reach_next()) == ([batch.id], False), "its files hold questions"
    assert await batching.follow() == [], "reported once"
    found = await evaluating.evaluate(release)
    assert (found.card.rows, len(model.asked)) == (4, 2)
    assert await batching.save(ended, state=BatchState.POSTED)
    assert await batching.start(release, "U9", "ja", "C1") is None, "nothing is left to ask"


async def test_another_replica_posts_figures_after_the_lease(
    batching: Batching, batcher: KeepingBatcher, release: Release, clock: StepClock
) -> None:
    batch = await batching.start(release, "U9", "ja", "C1")
    assert batch
    batcher.ended[batch.id] = dict.fromkeys(batcher.batches[batch.id], LABOR)
    assert len(await batching.follow()) == 1
    clock.advance(seconds=(POST_LEASE + timedelta(seconds=1)).total_seconds())
    assert [(ended.id, error) for ended, error in await batching.follow()] == [(batch.id, None)]
    assert await batching.follow() == []


async def test_batch_without_answers_fails(
    batching: Batching, batcher: KeepingBatcher, release: Release, model: RuleModel, reaching: Reaching
) -> None:
    batch = await batching.start(release, "U9", "ja", "C1")
    assert batch
    batcher.ended[batch.id] = {batcher.batches[batch.id][0]: ModelRefused("line 1")}
    ((ended, error),) = await batching.follow()
    assert (ended.state, error) == (BatchState.FAILED, "line 1")
    assert await reaching.reach_next()
    assert batcher.deleted == [batch.id], "questions went there, too"
    assert len(model.asked) == 1


@pytest.mark.parametrize("arrived", [1, 0])
async def test_lost_creation_is_searched_for_never_repeated(
    batching: Batching, batcher: KeepingBatcher, release: Release, clock: StepClock, store: SqlStore, arrived: int
) -> None:
    batcher.faults.add("submit", Fault.LOST)
    batch = await batching.start(release, "U9", "ja", "C1")
    assert batch
    assert batch.state is BatchState.CREATING
    if not arrived:
        batcher.batches.clear()
    assert await batching.follow() == [], "not searched for yet"
    reports = []
    for _ in range(1 if arrived else BATCH_SEARCHES):
        clock.advance(seconds=(BATCH_UNANSWERED + timedelta(seconds=1)).total_seconds())
        reports += await batching.follow()
    async with store.transaction() as tx:
        now = await tx.batches.get(batch.id)
    assert now
    assert now.state is (BatchState.RUNNING if arrived else BatchState.FAILED)
    assert [one.id for one, _ in reports] == ([] if arrived else [batch.id])
    assert len(batcher.batches) == arrived


async def test_refused_batch_leaves_nothing_open(
    batching: Batching, batcher: KeepingBatcher, release: Release, store: SqlStore
) -> None:
    batcher.faults.add("check", Fault.REFUSED)
    with pytest.raises(Refused):
        await batching.start(release, "U9", "ja", "C1")
    batcher.faults.add("submit", Fault.REFUSED)
    with pytest.raises(ModelRefused):
        await batching.start(release, "U9", "ja", "C1")
    async with store.transaction() as tx:
        assert await tx.batches.open() == []
