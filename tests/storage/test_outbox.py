import asyncio
from datetime import timedelta

from bot.ports import Store
from storage.database import Database
from storage.store import SqlStore
from tests.storage.things import LEASE, NOW


async def test_entry_is_read_as_written(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.outbox.add("feedback", "q1", {"category": "労務"}, NOW)
        item = await transaction.outbox.claim("w1", NOW, LEASE)
    assert item is not None
    assert (item.topic, item.key, item.payload, item.attempts) == ("feedback", "q1", {"category": "労務"}, 1)


async def test_entry_waits_only_for_its_topic_and_key(store: Store) -> None:
    async with store.transaction() as transaction:
        for topic, key, n in (("a", "q1", "1"), ("a", "q1", "2"), ("a", "q2", "3"), ("b", "q1", "4")):
            await transaction.outbox.add(topic, key, {"n": n}, NOW)
        items = [await transaction.outbox.claim("w1", NOW, LEASE) for _ in range(4)]
        assert [item and item.payload["n"] for item in items] == ["1", "3", "4", None]
        assert items[0] is not None
        await transaction.outbox.retry(items[0], NOW + LEASE, "429")
        assert await transaction.outbox.claim("w1", NOW, LEASE) is None
        first = await transaction.outbox.claim("w1", NOW + LEASE, LEASE)
        assert first is not None
        assert (first.payload["n"], first.attempts) == ("1", 2)
        await transaction.outbox.done(first)
        second = await transaction.outbox.claim("w1", NOW, LEASE)
    assert second is not None
    assert second.payload["n"] == "2"


async def test_entry_is_added_claimed_unless_one_is_open(store: Store) -> None:
    async with store.transaction() as transaction:
        item = await transaction.outbox.add_claimed("card", "q1", {}, "w1", NOW, LEASE)
        assert item is not None
        assert await transaction.outbox.add_claimed("card", "q1", {}, "w1", NOW, LEASE) is None
        assert await transaction.outbox.claim("w2", NOW, LEASE) is None
        again = await transaction.outbox.claim("w2", NOW + LEASE, LEASE)
        assert again is not None
        assert (again.id, again.added_at, again.attempts) == (item.id, item.added_at, 2)
        assert not await transaction.outbox.done(item)
        assert await transaction.outbox.done(again)


async def test_claim_by_topic_skips_other_topics(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.outbox.add("shadow", "q1", {}, NOW)
        await transaction.outbox.add("card", "q1", {}, NOW)
        card = await transaction.outbox.claim("w1", NOW, LEASE, ["card", "finetune"])
        assert card is not None
        assert card.topic == "card"
        assert await transaction.outbox.claim("w1", NOW, LEASE, ["card", "finetune"]) is None
        assert await transaction.outbox.claim("w1", NOW, LEASE, []) is None
        assert await transaction.outbox.claim("w1", NOW, LEASE) is not None


async def test_lost_lease_changes_nothing(store: Store) -> None:
    later = NOW + LEASE
    async with store.transaction() as transaction:
        await transaction.outbox.add("a", "q1", {}, NOW)
        late = await transaction.outbox.claim("w1", NOW, LEASE)
        newer = await transaction.outbox.claim("w2", later, LEASE)
        assert late is not None
        assert newer is not None
        assert not await transaction.outbox.renew(late, later + LEASE)
        assert not await transaction.outbox.done(late)
        assert not await transaction.outbox.retry(late, later, "late")
        assert await transaction.outbox.claim("w3", later, LEASE) is None
        assert (await transaction.outbox.lag(later))[0] == 1
        assert await transaction.outbox.renew(newer, later + 2 * LEASE)
        assert await transaction.outbox.claim("w3", later + LEASE, LEASE) is None
        assert await transaction.outbox.done(newer)
        assert (await transaction.outbox.lag(later))[0] == 0


async def test_lag_is_age_of_oldest_open_entry(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.outbox.lag(NOW) == (0, timedelta(0))
        await transaction.outbox.add("a", "q1", {}, NOW)
        await transaction.outbox.add("a", "q2", {}, NOW + timedelta(seconds=40))
        await transaction.outbox.claim("w1", NOW, LEASE)
        assert await transaction.outbox.lag(NOW + timedelta(minutes=1)) == (2, timedelta(minutes=1))


async def test_replicas_send_entries_once_and_in_order(url: str) -> None:
    replicas = [Database(url), Database(url)]
    async with SqlStore(replicas[0]).transaction() as transaction:
        for n in range(30):
            await transaction.outbox.add("a", f"q{n % 5}", {"n": str(n)}, NOW)
    sent: list[tuple[str, int]] = []

    async def work(worker: int) -> None:
        store = SqlStore(replicas[worker % 2])
        while True:
            async with store.transaction() as transaction:
                item = await transaction.outbox.claim(f"w{worker}", NOW, LEASE)
                left, _ = await transaction.outbox.lag(NOW)
            if item:
                sent.append((item.key, int(item.payload["n"])))
                async with store.transaction() as transaction:
                    await transaction.outbox.done(item)
            elif not left:
                return
            await asyncio.sleep(0)

    await asyncio.gather(*(work(worker) for worker in range(8)))
    assert len(sent) == 30
    for key in {key for key, _ in sent}:
        numbers = [n for entry_key, n in sent if entry_key == key]
        assert numbers == sorted(set(numbers))
    for replica in replicas:
        await replica.close()


async def test_handed_back_entry_is_claimable_at_once(store: Store) -> None:
    async with store.transaction() as transaction:
        for key in ("q1", "q2"):
            await transaction.outbox.add("card", key, {}, NOW)
        mine = await transaction.outbox.claim("w1", NOW, LEASE)
        await transaction.outbox.claim("w2", NOW, LEASE)
        assert await transaction.outbox.hand_back("w1", NOW) == 1
        again = await transaction.outbox.claim("w3", NOW, LEASE)
        assert await transaction.outbox.claim("w3", NOW, LEASE) is None
    assert mine is not None
    assert again is not None
    assert (again.id, again.attempts) == (mine.id, 2)
