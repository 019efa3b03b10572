"""Nothing that was read before a forgetting is stored, sent or written after it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.dataset.exporting import Exporting
from bot.dataset.training_files import DiskFile
from bot.domain.dataset import IMPORTED_PREFIX, Row, Split, text_key
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.forgetting import ForgetState, Scope, Traced
from bot.domain.mirror import Feedback, RowCopy, Trace
from bot.domain.release import ModelName
from bot.forgetting.forgetting import Forgetting
from bot.forgetting.reaching import Reaching
from bot.ports import Transaction
from bot.releases.batching import Batching
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from storage.tables import files, finetune_rows, results
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, PROMPT, START, no_attacks, row
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer, FakeTrainer
from tests.kits.fakes_batcher import LABOR, KeepingBatcher
from tests.kits.fakes_tracker import MemoryTracker
from tests.kits.finetune_bench import ENOUGH_ROWS, FinetuneBench
from tests.kits.marked_store import holds
from tests.kits.migrated import migrated_postgresql
from tests.kits.mirror_desk import MirrorDesk
from tests.kits.near_texts import save

WORD = "zyxmark"


class InterruptedStore(SqlStore):
    """A store in which something is done after the transaction or snapshot with this number, counted from 0."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.at: int | None = None
        self.work: Callable[[], Awaitable[object]] | None = None

    def interrupt(self, at: int, work: Callable[[], Awaitable[object]]) -> None:
        self.at, self.work = at, work

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
        await self._ended()

    @asynccontextmanager
    async def snapshot(self, *, patient: bool = False) -> AsyncIterator[Transaction]:
        async with super().snapshot(patient=patient) as tx:
            yield tx
        await self._ended()

    async def _ended(self) -> None:
        if self.at is None or self.work is None:
            return
        self.at -= 1
        if self.at < 0:
            self.at, work = None, self.work
            await work()


@pytest.fixture(params=["sqlite", "postgresql"])
async def both(request: pytest.FixtureRequest, fresh: Fresh) -> AsyncIterator[Database]:
    database = Database(fresh() if request.param == "sqlite" else migrated_postgresql())
    yield database
    await database.close()


def secrets() -> list[Row]:
    """Return rows of the training part to forget, settled before all others; one looks like an import."""
    made = (row(f"{WORD} {n}", at=-60, row_id=f"s{n}", reason=WORD) for n in range(99))
    one, other = [one for one in made if one.split is Split.TRAIN][:2]
    return [one, other.model_copy(update={"id": f"{IMPORTED_PREFIX}1"})]


async def forget(store: SqlStore, clock: StepClock, most: int = 50) -> bool:
    """Take one step of forgetting what was settled before START; return whether it was the last."""
    async with store.transaction() as tx:
        erased = await tx.forgetting.erase(Scope.before(START), most, clock.now())
        if last := not {"questions", "rows"} & erased.counts.keys():
            await tx.forgetting.moved(clock.now())
    return last


async def left(database: Database) -> set[Any]:
    """Return the places that still hold what was forgotten: its words, or the hash by which an answer is kept."""
    forgotten = text_key(secrets()[0].text), text_key(secrets()[1].text), WORD
    async with database.begin() as connection:
        return {
            column
            for column in (files.c.data, finetune_rows.c.text, results.c.text_key)
            for value in (await connection.execute(select(column))).scalars()
            if any(holds(value, one) for one in forgotten)
        }


async def interrupted(
    database: Database, clock: StepClock, act: Callable[[InterruptedStore], Awaitable[object]]
) -> set[Reason]:
    """Act again and again, each time with a forgetting that begins after another transaction.

    Its first step is taken there, the others after the act: a forgetting of many rows takes many steps.

    Returns:
        Why the act was refused.
    """
    plain, refused = SqlStore(database), set[Reason]()
    for at in range(99):
        await save(plain, *secrets())
        store = InterruptedStore(database)
        store.interrupt(at, partial(forget, plain, clock))
        try:
            await act(store)
        except Refused as error:
            refused.add(error.reason)
        over = store.at is not None
        while not await forget(plain, clock):
            pass
        assert await left(database) == set(), f"forgotten after transaction {at}"
        if over:
            return refused
    pytest.fail("the act never ends")


async def test_forgotten_rows_never_come_into_plans(both: Database, clock: StepClock) -> None:
    store = SqlStore(both)
    await Releasing(store, clock).ensure(PROMPT, BASE)
    await save(store, *ENOUGH_ROWS)

    async def plan(store: SqlStore) -> None:
        student = ModelName(provider="openai", model="m")
        bench = FinetuneBench(store, DatabaseShelf(both), FakeTrainer(), clock, student=student)
        await bench.acts.planning.plan("U9", "ja")

    assert await interrupted(both, clock, plan) == {Reason.FORGOTTEN_MEANWHILE}


async def test_forgotten_rows_never_come_into_files(store: SqlStore, clock: StepClock, tmp_path: Path) -> None:
    await save(store, *ENOUGH_ROWS, *secrets())
    loop = asyncio.get_running_loop()

    class Closing(DiskFile):
        def close(self) -> str:
            asyncio.run_coroutine_threadsafe(forget(store, clock), loop).result()
            return super().close()

    file = Closing(tmp_path / "unnamed")
    with pytest.raises(Refused) as refused:
        await Exporting(store, RowNeighbours(store), clock).write(file)
    assert refused.value.reason is Reason.FORGOTTEN_MEANWHILE


async def test_forgotten_rows_never_come_into_results(both: Database, clock: StepClock) -> None:
    store, model = SqlStore(both), RuleModel({})
    release = await Releasing(store, clock).ensure(PROMPT, BASE)
    await save(store, ENOUGH_ROWS[0])

    async def evaluate(store: SqlStore) -> None:
        await evaluating(store, model, clock).evaluate(release)

    assert await interrupted(both, clock, evaluate) == {Reason.FORGOTTEN_MEANWHILE}


async def test_forgotten_rows_never_come_from_batches(store: SqlStore, database: Database, clock: StepClock) -> None:
    await save(store, *ENOUGH_ROWS[:2], *secrets())
    batcher, asking = KeepingBatcher(), evaluating(store, RuleModel({}), clock)
    batching = Batching(store, asking, batcher, clock)
    release = await Releasing(store, clock).serving()
    batch = await batching.start(release, "U9", "ja", "C1")
    assert batch
    while not await forget(store, clock):
        pass
    batcher.ended[batch.id] = dict.fromkeys(batcher.batches[batch.id], LABOR)
    assert len(await batching.follow()) == 1
    assert await left(database) == set()
    assert await asking.unanswered(release) == []


def evaluating(store: SqlStore, model: RuleModel, clock: StepClock) -> Evaluating:
    return Evaluating(
        store,
        model,
        clock,
        neighbours=MemoryNeighbours(),
        estimator=CountingEstimator(),
        per_second={"local": 10_000},
        pauses=(),
        attacks=no_attacks,
    )


async def test_job_on_forgotten_rows_is_not_created(
    store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock
) -> None:
    """The file is deleted at the provider, too, if a row is forgotten while it is sent or before it was read there."""
    bench = FinetuneBench(store, shelf, trainer, clock)
    await save(store, *secrets())
    finetune = await bench.confirmed()
    trainer.unread = {"file-0"}
    await bench.acts.following.follow()
    assert (await bench.reload(finetune)).file_id == "file-0"
    await forget(store, clock)
    trainer.unread.clear()
    await bench.follow(1)
    ended = await bench.reload(finetune)
    assert (ended.state, trainer.jobs) == (FinetuneState.FAILED, {})
    assert "forgotten" in str(ended.error)


@pytest.mark.parametrize("verb", ["trace", "put_rows", "say"])
async def test_late_copies_at_tracker_are_erased(database: Database, clock: StepClock, verb: str) -> None:
    store, board = SqlStore(database, mirrored=True), FakeAnnouncer()
    await Releasing(store, clock).ensure(PROMPT, BASE)
    tracker = LateTracker(clock)
    desk = MirrorDesk(store, clock, RuleModel({}), board, tracker)
    reaching = Reaching(store, board, FakeTrainer(), clock, tracker)
    question, verdict = await desk.ask()
    await desk.press(question, "it")

    async def reach() -> None:
        for _ in range(9):
            while await reaching.reach_next():
                pass
            clock.advance(seconds=60)

    async def forget_all() -> None:
        await Forgetting(store, clock).forget(Scope.message(question.place), "U9", "en")
        await reach()
        async with store.snapshot() as tx:
            (request,) = await tx.forgetting.newest(9)
        assert request.state is ForgetState.DONE

    tracker.before[verb] = forget_all
    await desk.mirror_all()
    assert not tracker.before
    await reach()
    assert not tracker.traces
    assert not tracker.feedback
    assert not await tracker.remembers(await tracker.dataset(), Traced(traces=(verdict.id,), rows=(question.id,)))


class LateTracker(MemoryTracker):
    """A tracker to which a copy is on its way while something else is done."""

    def __init__(self, clock: StepClock) -> None:
        super().__init__(clock)
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        """Name of a method → what is done before it."""

    async def _wait(self, verb: str) -> None:
        if work := self.before.pop(verb, None):
            await work()

    async def trace(self, traces: Sequence[Trace]) -> None:
        await self._wait("trace")
        await super().trace(traces)

    async def put_rows(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        await self._wait("put_rows")
        await super().put_rows(dataset, rows)

    async def say(self, feedback: Feedback) -> None:
        await self._wait("say")
        await super().say(feedback)
