"""Forgetting by the acts: retention, training files, copies that cannot be erased, and the audit log."""

from datetime import timedelta

import pytest
from sqlalchemy import Delete, Update, delete, func, select, update

from bot.dataset.auditing import Auditing
from bot.domain.audit import AuditAct
from bot.domain.forgetting import FORGOTTEN_CURSOR, ForgetKind, ForgetState, Retention, Scope
from bot.forgetting.forgetting import Forgetting
from bot.forgetting.reaching import GIVEN_UP_AFTER, Reaching
from bot.ports import Store
from bot.similarity.kept import store_parts
from storage.audit import CHECKPOINT
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from storage.tables import cursors, files
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeAnnouncer, FakeTrainer, Fault
from tests.kits.finetune_bench import FinetuneBench


@pytest.fixture
def bench(store: SqlStore, shelf: DatabaseShelf, trainer: FakeTrainer, clock: StepClock) -> FinetuneBench:
    return FinetuneBench(store, shelf, trainer, clock)


@pytest.fixture
def reaching(store: SqlStore, board: FakeAnnouncer, trainer: FakeTrainer, clock: StepClock) -> Reaching:
    return Reaching(store, board, trainer, clock)


async def run(reaching: Reaching, clock: StepClock, hours: float = 1) -> None:
    """Take all steps that come due within this time."""
    for _ in range(40):
        while await reaching.reach_next():
            pass
        clock.advance(seconds=hours * 90)


async def test_retention_forgets_by_kind(store: SqlStore, reaching: Reaching, clock: StepClock) -> None:
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    await desk.press("it", seen=0)
    forgetting = Forgetting(store, clock, Retention(questions=timedelta(days=30), rows=timedelta(days=90)))
    await forgetting.retain()
    assert await forgetting.newest(5) == []
    clock.advance(seconds=timedelta(days=31).total_seconds())
    await forgetting.retain()
    await forgetting.retain()
    (request,) = await forgetting.newest(5)
    assert request.kind is ForgetKind.QUESTIONS
    await run(reaching, clock)
    async with store.transaction() as tx:
        assert await tx.questions.get(desk.question) is None
        assert await tx.rows.get(desk.question) is not None
    clock.advance(seconds=timedelta(days=61).total_seconds())
    await forgetting.retain()
    await run(reaching, clock)
    async with store.transaction() as tx:
        assert await tx.rows.get(desk.question) is None
    assert [one.state for one in await forgetting.newest(5)] == [ForgetState.DONE] * 2


async def pieces(database: Database) -> int:
    """Return how many pieces of a kept index there are, with the one that names its version."""
    async with database.begin() as connection:
        query = select(func.count()).select_from(files).where(files.c.name.startswith("index/"))
        return (await connection.execute(query)).scalar_one()


async def test_large_index_is_deleted_in_steps(
    store: SqlStore, database: Database, reaching: Reaching, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.index_parts.DROPPED_AT_ONCE", 4)
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    assert await store_parts(store, {f"part{n}": b"1" for n in range(9)}, None)
    forgetting = Forgetting(store, clock, Retention())
    await forgetting.forget(Scope.before(clock.now() + timedelta(days=1)), "U1", "en")
    left = {await pieces(database)}
    while await reaching.reach_next():
        left.add(await pieces(database))
    assert left == {10, 6, 2, 0}, "four at a time"
    async with store.transaction() as tx:
        assert await tx.cursors.get(FORGOTTEN_CURSOR)
    await run(reaching, clock)
    assert [one.state for one in await forgetting.newest(5)] == [ForgetState.DONE]


async def test_message_waits_for_what_is_posted(
    store: SqlStore, reaching: Reaching, board: FakeAnnouncer, clock: StepClock
) -> None:
    """A card under way to Slack would stand there again after its message was removed."""
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    async with store.transaction() as tx:
        await tx.outbox.add("card", desk.question, {}, clock.now())
        posting = await tx.outbox.claim("another", clock.now(), timedelta(hours=9), ["card"])
        assert posting is not None
        question = await tx.questions.get(desk.question)
        assert question is not None
    await Forgetting(store, clock).forget(Scope.message(question.place), "U9", "en")
    await run(reaching, clock)
    assert board.removed == []
    async with store.transaction() as tx:
        assert await tx.outbox.done(posting)
    await run(reaching, clock)
    assert [one.question for one in board.removed] == [desk.question]


async def test_undone_row_goes_with_the_others(store: SqlStore, reaching: Reaching, clock: StepClock) -> None:
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    await desk.press("it", seen=0)
    await desk.press(None, seen=1)
    clock.advance(seconds=timedelta(days=2).total_seconds())
    await Forgetting(store, clock, Retention(rows=timedelta(days=1))).retain()
    await run(reaching, clock)
    async with store.transaction() as tx:
        assert [row.text async for row, _ in tx.rows.changed(None)] == [""]


async def test_training_file_goes_with_its_training(
    bench: FinetuneBench, reaching: Reaching, trainer: FakeTrainer, clock: StepClock
) -> None:
    finetune = await bench.running()
    assert trainer.files
    (job,) = trainer.jobs
    trainer.set_status(job, "succeeded", model="ft:1")
    await bench.acts.following.follow()
    await run(reaching, clock)
    assert trainer.files == {}
    assert (await bench.reload(finetune)).file_id is None


@pytest.mark.parametrize("ending", ["refused", "cancelled"])
async def test_no_file_is_left_without_a_training(
    bench: FinetuneBench, reaching: Reaching, trainer: FakeTrainer, clock: StepClock, ending: str
) -> None:
    finetune = await bench.confirmed()
    if ending == "refused":
        trainer.faults.add("create", Fault.REFUSED)
    await bench.acts.following.follow()
    if ending == "cancelled":
        (job,) = trainer.jobs
        await bench.acts.following.cancel("U9", finetune.id)
        trainer.set_status(job, "cancelled")
        await bench.acts.following.follow()
    await run(reaching, clock)
    assert trainer.files == {}


async def test_plan_of_forgotten_rows_is_not_trained(
    bench: FinetuneBench, reaching: Reaching, trainer: FakeTrainer, clock: StepClock
) -> None:
    finetune = await bench.planned()
    await Forgetting(bench.store, clock).forget(Scope.before(clock.now() + timedelta(days=1)), "U9", "en")
    await run(reaching, clock)
    await bench.acts.starting.confirm(finetune.id, "U9")
    await bench.acts.following.follow()
    failed = await bench.reload(finetune)
    assert "forgotten" in (failed.error or "")
    assert trainer.files == {}


async def test_what_a_provider_keeps_is_reported(
    bench: FinetuneBench, reaching: Reaching, trainer: FakeTrainer, board: FakeAnnouncer, clock: StepClock
) -> None:
    finetune = await bench.running()
    (job,) = trainer.jobs
    trainer.set_status(job, "failed")
    await bench.acts.following.follow()

    trainer.faults.add("delete_file", Fault.DOWN, times=100)
    await Forgetting(bench.store, clock).forget(Scope.before(clock.now() + timedelta(days=1)), "U9", "en")
    await run(reaching, clock, hours=GIVEN_UP_AFTER.total_seconds() / 3600 * 1.2)
    ((request, versions),) = board.forgotten
    assert request.left == {"forget_file": 1}
    assert request.trained == (finetune.id,)
    assert versions == []


async def test_old_audit_entries_give_way_to_checkpoint(store: SqlStore, clock: StepClock) -> None:
    auditing = Auditing(store, clock)
    for days in range(6):
        await auditing.refused(f"U{days % 2}", "admin")
        clock.advance(seconds=timedelta(days=1).total_seconds())
    forgetting = Forgetting(store, clock, Retention(audit=timedelta(days=3)))
    await forgetting.retain()
    await forgetting.retain()
    check = await auditing.check()
    assert (check.broken, check.retired) == (None, 3)
    entries = await auditing.entries()
    assert entries[0].seq == 4
    assert entries[-1].act is AuditAct.RETIRED
    clock.advance(seconds=timedelta(days=1).total_seconds())
    await forgetting.retain()
    check = await auditing.check()
    assert (check.broken, check.retired) == (None, 4)


@pytest.mark.parametrize(
    "change",
    [
        update(cursors).where(cursors.c.name == CHECKPOINT).values(position=func.replace(cursors.c.position, "3", "4")),
        delete(cursors).where(cursors.c.name == CHECKPOINT),
    ],
    ids=["changed", "removed"],
)
async def test_forged_checkpoint_is_noticed(store: SqlStore, clock: StepClock, change: Update | Delete) -> None:
    auditing = Auditing(store, clock)
    for _ in range(6):
        await auditing.refused("U1", "admin")
        clock.advance(seconds=timedelta(days=1).total_seconds())
    await Forgetting(store, clock, Retention(audit=timedelta(days=3))).retain()
    async with store._database.begin() as connection:
        await connection.execute(change)
    assert (await auditing.check()).broken is not None


async def test_second_request_joins_the_first(store: Store, clock: StepClock) -> None:
    forgetting = Forgetting(store, clock)
    first = await forgetting.forget(Scope.person("U1"), "U9", "en")
    assert await forgetting.forget(Scope.person("U1"), "U9", "en") == first
