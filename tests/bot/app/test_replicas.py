"""Replicas: the leases of work that one at a time does, and the heartbeats."""

from collections.abc import Awaitable, Callable

import pytest

from bot.app.replicas import REPLICA_LEASE, ReplicaLeases
from bot.domain.replica import BEAT, REPLICA_SILENT_AFTER
from storage.database import Database, DatabaseUnreachable
from storage.store import SqlStore
from tests.kits.fakes import StepClock


class Work:
    """Work that records which replica did it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def by(self, replica: ReplicaLeases) -> Callable[[], Awaitable[None]]:
        """Return the work as a replica runs it."""

        async def do() -> None:
            self.done.append(replica.id)

        return replica.exclusive("work", do)


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
        await one.beat()
        await two.beat()
        await first()
        await second()
        clock.advance(seconds=BEAT.total_seconds())
    assert work.done == [one.id] * 20


async def test_expired_lease_of_crashed_replica_is_taken_over(
    one: ReplicaLeases, two: ReplicaLeases, clock: StepClock
) -> None:
    work = Work()
    first, second = work.by(one), work.by(two)
    await one.beat()
    await first()
    clock.advance(seconds=REPLICA_LEASE.total_seconds() - 1)
    await two.beat()
    await second()
    assert work.done == [one.id]
    clock.advance(seconds=1)
    await two.beat()
    await second()
    await one.beat()
    await first()
    assert work.done == [one.id, two.id]


async def test_leaving_replica_releases_its_lease_at_once(one: ReplicaLeases, two: ReplicaLeases) -> None:
    work = Work()
    first, second = work.by(one), work.by(two)
    await one.beat()
    await first()
    await one.leave()
    await first()
    await two.beat()
    await second()
    assert work.done == [one.id, two.id]


async def test_paused_replica_runs_nothing_before_its_heartbeat(
    one: ReplicaLeases, two: ReplicaLeases, clock: StepClock
) -> None:
    work = Work()
    first, second = work.by(one), work.by(two)
    await one.beat()
    await first()
    clock.advance(minutes=1)  # the first replica is paused
    await first()
    await two.beat()
    await second()
    await one.beat()
    await first()
    assert work.done == [one.id, two.id]


async def test_failing_heartbeat_keeps_leases_until_they_expire(
    database: Database, one: ReplicaLeases, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    first = work.by(one)
    await one.beat()
    monkeypatch.setattr(database, "begin", lambda: Database("postgresql://bot@127.0.0.1:1/desk").begin())
    for _ in range(2):
        with pytest.raises(DatabaseUnreachable):
            await one.beat()
        await first()
        clock.advance(seconds=REPLICA_LEASE.total_seconds())
    assert work.done == [one.id]


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
