import asyncio
from datetime import timedelta

from bot.domain.replica import Replica
from bot.ports import Store
from storage.database import Database
from storage.store import SqlStore
from tests.storage.things import LEASE, NOW


async def test_lease_has_one_holder_who_may_renew(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.leases.acquire("follow", "a", NOW, LEASE)
        assert await tx.leases.acquire("follow", "b", NOW, LEASE) is None
        assert await tx.leases.acquire("catch_up", "b", NOW, LEASE)
        assert await tx.leases.acquire("follow", "a", NOW + LEASE / 2, LEASE)
        assert await tx.leases.acquire("follow", "b", NOW + LEASE, LEASE) is None
        assert await tx.leases.acquire("follow", "b", NOW + LEASE * 1.5, LEASE)
        assert [(held.name, held.holder) for held in await tx.leases.all()] == [("catch_up", "b"), ("follow", "b")]


async def test_several_leases_are_acquired_in_one_statement(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.leases.acquire("follow", "b", NOW, LEASE)
        free = await tx.leases.acquire_all(["survey", "follow", "catch_up"], "a", NOW, LEASE)
        assert set(free) == {"catch_up", "survey"}
        await tx.leases.release("survey", free["survey"])
        assert set(await tx.leases.acquire_all(["survey", "follow"], "b", NOW + LEASE / 2, LEASE)) == {
            "follow",
            "survey",
        }
        assert await tx.leases.acquire_all([], "a", NOW, LEASE) == {}


async def test_lost_lease_cannot_be_released(store: Store) -> None:
    async with store.transaction() as tx:
        late = await tx.leases.acquire("follow", "a", NOW, LEASE)
        newer = await tx.leases.acquire("follow", "b", NOW + LEASE, LEASE)
        assert late
        assert newer
        await tx.leases.release("follow", late)
        assert await tx.leases.acquire("follow", "a", NOW + LEASE, LEASE) is None
        await tx.leases.release("follow", newer)
        assert await tx.leases.acquire("follow", "a", NOW + LEASE, LEASE)


async def test_concurrent_claims_of_a_lease_have_one_winner(store: Store) -> None:
    async def acquire_as(holder: str) -> bool:
        async with store.transaction() as tx:
            return await tx.leases.acquire("follow", holder, NOW, LEASE) is not None

    for round_ in range(3):
        async with store.transaction() as tx:
            await tx.leases.acquire("follow", "before", NOW - LEASE * (9 - round_), LEASE)
        got = await asyncio.gather(*(acquire_as(f"{round_}{n}") for n in range(8)))
        assert sum(got) == (1 if round_ == 0 else 0)


async def test_replica_is_listed_until_it_leaves_or_expires(store: Store) -> None:
    one = Replica(id="one", version="0.1.0", release_id=None, started_at=NOW, seen_at=NOW)
    two = one.model_copy(update={"id": "two", "seen_at": NOW + timedelta(seconds=9)})
    async with store.transaction() as tx:
        await tx.replicas.beat("two", "0.1.0", NOW, two.seen_at)
        await tx.replicas.beat("one", "0.1.0", NOW, NOW)
        assert await tx.replicas.seen(NOW) == [one, two]
        later = one.model_copy(update={"seen_at": NOW + timedelta(seconds=3)})
        await tx.replicas.beat("one", "0.1.0", NOW, later.seen_at)
        assert await tx.replicas.seen(NOW + timedelta(seconds=1)) == [later, two]
        await tx.replicas.forget(NOW + timedelta(seconds=5))
        assert await tx.replicas.seen(NOW) == [two]
        await tx.replicas.leave("two")
        assert await tx.replicas.seen(NOW) == []


async def test_cursor_keeps_its_last_position(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.cursors.get("history:C1") is None
        await tx.cursors.move("history:C1", "1.2", NOW)
        await tx.cursors.move("history:C1", "1.3", NOW)
        assert await tx.cursors.get("history:C1") == "1.3"
        assert await tx.cursors.get("history:C2") is None
        await tx.cursors.move("history%C1", "2", NOW)
        assert await tx.cursors.starting("history:") == {"history:C1": "1.3"}


async def test_only_one_of_several_readers_advances_a_cursor(url: str) -> None:
    replicas = [Database(url), Database(url)]
    async with SqlStore(replicas[0]).transaction() as tx:
        await tx.cursors.move("history:C1", "1", NOW)
        assert not await tx.cursors.advance("history:C2", "1", "2", NOW)

    async def advance(n: int) -> bool:
        async with SqlStore(replicas[n % 2]).transaction() as tx:
            moved = await tx.cursors.advance("history:C1", "1", f"2.{n}", NOW)
            await asyncio.sleep(0.01)
            return moved

    assert sum(await asyncio.gather(*(advance(n) for n in range(6)))) == 1
    for replica in replicas:
        await replica.close()
