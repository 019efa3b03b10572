"""Replicas: the leases of work that one at a time does, and the heartbeats."""

import asyncio

import pytest

from bot.app.replicas import SHORTEST_LEASE, ReplicaLeases
from bot.domain.replica import REPLICA_SILENT_AFTER
from storage.database import Database
from storage.store import SqlStore
from tests.kits.fakes import StepClock


class Work:
    """Work that waits for the gate and records which replica did it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    def by(self, replica: ReplicaLeases, every: float = 2.0) -> "Turn":
        return Turn(self, replica, every)


class Turn:
    """The work as one replica runs it."""

    def __init__(self, work: Work, replica: ReplicaLeases, every: float) -> None:
        self._work = work
        self._replica = replica
        self.tick = replica.exclusive("work", self._do, every)

    async def _do(self) -> None:
        self._work.entered.set()
        await self._work.gate.wait()
        self._work.done.append(self._replica.id)


@pytest.fixture
def one(store: SqlStore, clock: StepClock) -> ReplicaLeases:
    return ReplicaLeases(store, clock, "1")


@pytest.fixture
def two(store: SqlStore, clock: StepClock) -> ReplicaLeases:
    return ReplicaLeases(store, clock, "2")


async def test_one_replica_keeps_the_lease_between_ticks(
    one: ReplicaLeases, two: ReplicaLeases, clock: StepClock
) -> None:
    work = Work()
    first, second = work.by(one), work.by(two)
    for _ in range(20):
        await first.tick()
        await second.tick()
        clock.advance(seconds=2)
    assert work.done == [one.id] * 20


async def test_expired_lease_of_crashed_replica_is_taken_over(
    one: ReplicaLeases, two: ReplicaLeases, clock: StepClock
) -> None:
    work = Work()
    await work.by(one).tick()
    second = work.by(two)
    clock.advance(seconds=SHORTEST_LEASE.total_seconds() - 1)
    await second.tick()
    assert work.done == [one.id]
    clock.advance(seconds=1)
    await second.tick()
    await work.by(one).tick()
    assert work.done == [one.id, two.id]


async def test_longer_interval_has_longer_lease(one: ReplicaLeases, two: ReplicaLeases, clock: StepClock) -> None:
    work = Work()
    for _ in range(4):
        await work.by(one, every=60).tick()
        clock.advance(seconds=59)
        await work.by(two, every=60).tick()
        clock.advance(seconds=1)
    assert work.done == [one.id] * 4


async def test_leaving_replica_releases_its_lease_at_once(one: ReplicaLeases, two: ReplicaLeases) -> None:
    work = Work()
    await work.by(one).tick()
    await one.leave()
    await work.by(two).tick()
    assert work.done == [one.id, two.id]


async def test_lease_is_renewed_during_the_work(
    one: ReplicaLeases, two: ReplicaLeases, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock advances far beyond the lease, and the working replica renews it."""
    work = Work()
    work.gate.clear()
    renewed = asyncio.Event()
    sleep = asyncio.sleep

    async def hurried(seconds: float) -> None:
        clock.advance(seconds=seconds)
        renewed.set()
        await sleep(0)

    monkeypatch.setattr("bot.app.replicas.asyncio.sleep", hurried)
    working = asyncio.ensure_future(work.by(one).tick())
    await work.entered.wait()
    start = clock.now()
    for _ in range(30):
        renewed.clear()
        await renewed.wait()
        await work.by(two).tick()
    assert clock.now() - start > 4 * SHORTEST_LEASE
    assert work.done == []
    work.gate.set()
    await working
    assert work.done == [one.id]


async def test_paused_replica_asks_for_the_lease_again(
    one: ReplicaLeases, two: ReplicaLeases, clock: StepClock
) -> None:
    work = Work()
    first = work.by(one)
    await first.tick()
    clock.advance(minutes=1)  # the first replica is paused
    await work.by(two).tick()
    await first.tick()
    assert work.done == [one.id, two.id]


async def test_failing_act_keeps_lease_and_runs_again(one: ReplicaLeases, two: ReplicaLeases) -> None:
    calls = 0

    async def fail() -> None:
        nonlocal calls
        calls += 1
        raise LookupError

    tick = one.exclusive("work", fail, 2)
    for _ in range(2):
        with pytest.raises(LookupError):
            await tick()
    work = Work()
    await work.by(two).tick()
    assert (calls, work.done) == (2, [])


async def test_heartbeat_tells_release_and_silent_replicas_go(
    one: ReplicaLeases, two: ReplicaLeases, store: SqlStore, clock: StepClock
) -> None:
    await one.beat()
    await two.beat()
    async with store.transaction() as tx:
        serving = await tx.releases.serving()
        seen = await tx.replicas.seen(clock.now() - REPLICA_SILENT_AFTER)
    assert serving
    assert {(replica.id, replica.version, replica.release_id) for replica in seen} == {
        (one.id, "1", serving.id),
        (two.id, "2", serving.id),
    }
    clock.advance(seconds=REPLICA_SILENT_AFTER.total_seconds() + 1)
    await two.beat()
    async with store.transaction() as tx:
        assert [replica.id for replica in await tx.replicas.seen(clock.now() - 10 * REPLICA_SILENT_AFTER)] == [two.id]
    await two.leave()
    async with store.transaction() as tx:
        assert await tx.replicas.seen(clock.now() - 10 * REPLICA_SILENT_AFTER) == []


async def test_leaving_without_database_logs_and_ends(clock: StepClock, caplog: pytest.LogCaptureFixture) -> None:
    database = Database("postgresql://bot@127.0.0.1:1/desk")
    await ReplicaLeases(SqlStore(database), clock, "1").leave()
    await database.close()
    assert "DatabaseUnreachable" in caplog.text
