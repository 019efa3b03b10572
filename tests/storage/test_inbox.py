import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text

from bot.domain.audience import Audience
from bot.domain.consent import Author
from bot.domain.question import ArrivalKind, Ending, InboxItem
from bot.ports import Store
from storage.database import Database
from storage.inbox import SqlInbox
from storage.store import SqlStore
from storage.tables import inbox
from tests.kits.postgres import make_database
from tests.storage.plans import plans_of
from tests.storage.things import LEASE, NOW, arrival

SECOND = timedelta(seconds=1)


@pytest.fixture
async def claimed(store: Store) -> InboxItem:
    async with store.transaction() as transaction:
        await transaction.inbox.add(arrival(), NOW)
        item = await transaction.inbox.claim("w1", NOW, LEASE)
    assert item is not None
    return item


async def test_arrival_is_read_as_written(claimed: InboxItem) -> None:
    assert claimed.arrival == arrival()
    assert claimed.attempts == 1


async def test_known_event_changes_nothing(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.inbox.add(arrival(), NOW)
    async with store.transaction() as transaction:
        assert not await transaction.inbox.add(arrival().model_copy(update={"text": "other"}), NOW)
        assert await transaction.inbox.open() == 1
        item = await transaction.inbox.claim("w1", NOW, LEASE)
    assert item is not None
    assert item.arrival == arrival()


async def test_claimed_arrival_is_held_from_the_start(store: Store) -> None:
    quoted = arrival(2).model_copy(update={"quotes": ("What is this?",), "audience": Audience.PRIVATE})
    async with store.transaction() as transaction:
        held = await transaction.inbox.add_claimed(quoted, "w1", NOW, LEASE)
        assert await transaction.inbox.add_claimed(quoted, "w1", NOW, LEASE) is None
        assert await transaction.inbox.claim("w2", NOW + LEASE - SECOND, LEASE) is None
    assert held is not None
    assert (held.arrival, held.attempts, held.received_at) == (quoted, 1, NOW)
    async with store.transaction() as transaction:
        assert await transaction.inbox.renew(held, NOW + SECOND)
        again = await transaction.inbox.claim("w2", NOW + SECOND, LEASE)
        assert again == held.model_copy(update={"attempts": 2, "token": again and again.token})
        assert not await transaction.inbox.finish(held, Ending.ANSWERED, None, NOW)


async def test_oldest_arrival_is_claimed_first(store: Store) -> None:
    async with store.transaction() as transaction:
        for n in (2, 1, 3):
            await transaction.inbox.add(arrival(n), NOW)
        items = [await transaction.inbox.claim("w1", NOW, LEASE) for _ in range(4)]
    assert [item and item.arrival.event_id for item in items] == ["Ev2", "Ev1", "Ev3", None]


async def test_held_arrival_is_claimable_after_its_lease(store: Store, claimed: InboxItem) -> None:
    async with store.transaction() as transaction:
        assert await transaction.inbox.claim("w2", NOW + LEASE - SECOND, LEASE) is None
        again = await transaction.inbox.claim("w2", NOW + LEASE, LEASE)
    assert again is not None
    assert (again.id, again.attempts) == (claimed.id, 2)
    assert again.token != claimed.token


async def test_arrival_of_dead_worker_is_claimed_first(store: Store) -> None:
    async with store.transaction() as transaction:
        for n in (1, 2, 3):
            await transaction.inbox.add(arrival(n), NOW)
        dead = await transaction.inbox.claim("w1", NOW, LEASE)
    async with store.transaction() as transaction:
        again = await transaction.inbox.claim("w2", NOW + LEASE, LEASE)
    assert dead is not None
    assert again is not None
    assert (again.id, again.arrival) == (dead.id, arrival(1))


async def test_uncommitted_claim_blocks_no_other_claim() -> None:
    # PostgreSQL only: SQLite has one transaction at a time.
    database = Database(make_database())
    await database.migrate()
    store = SqlStore(database)
    async with store.transaction() as transaction:
        await transaction.inbox.add(arrival(1), NOW)
        await transaction.inbox.add(arrival(2), NOW)
    async with store.transaction() as first_tx, store.transaction() as second_tx:
        first = await first_tx.inbox.claim("w1", NOW, LEASE)
        second = await asyncio.wait_for(second_tx.inbox.claim("w2", NOW, LEASE), timeout=10)
    assert first is not None
    assert second is not None
    assert (first.arrival, second.arrival) == (arrival(1), arrival(2))
    await database.close()


async def test_lost_lease_changes_nothing(store: Store, claimed: InboxItem) -> None:
    later = NOW + LEASE
    async with store.transaction() as transaction:
        again = await transaction.inbox.claim("w2", later, LEASE)
        assert again is not None
        assert not await transaction.inbox.finish(claimed, Ending.FAILED, None, later)
        assert not await transaction.inbox.postpone(claimed, later)
        assert await transaction.inbox.claim("w3", later, LEASE) is None
        assert await transaction.inbox.finish(again, Ending.ANSWERED, None, later)


async def test_ended_arrival_is_not_claimed_or_ended_again(store: Store, claimed: InboxItem) -> None:
    async with store.transaction() as transaction:
        assert await transaction.inbox.finish(claimed, Ending.IGNORED, "empty", NOW)
        assert await transaction.inbox.open() == 0
        assert await transaction.inbox.claim("w1", NOW + LEASE, LEASE) is None
        assert not await transaction.inbox.finish(claimed, Ending.ANSWERED, None, NOW)
        assert not await transaction.inbox.postpone(claimed, NOW)
        assert not await transaction.inbox.add(arrival(), NOW), "Slack may deliver it once more"


async def test_ended_arrival_loses_its_text(database: Database, store: Store, claimed: InboxItem) -> None:
    async with store.transaction() as transaction:
        await transaction.inbox.finish(claimed, Ending.ANSWERED, None, NOW)
    async with database.begin() as connection:
        kept = (await connection.execute(text("SELECT arrival, ending FROM inbox"))).one()
    assert kept.ending == "answered"
    assert "有給" not in str(kept.arrival)
    assert "\\u6709" not in str(kept.arrival)


async def test_postponed_arrival_waits_until_it_is_due(store: Store, claimed: InboxItem) -> None:
    until = NOW + timedelta(hours=1)
    async with store.transaction() as transaction:
        assert await transaction.inbox.postpone(claimed, until)
        assert not await transaction.inbox.postpone(claimed, NOW), "the lease has ended"
        assert await transaction.inbox.claim("w2", until - SECOND, LEASE) is None
        again = await transaction.inbox.claim("w2", until, LEASE)
    assert again is not None
    assert again.attempts == 2


async def test_arrival_may_contain_any_text(store: Store) -> None:
    strange = arrival().model_copy(update={"text": "a\0b \u2028 🙂 ' \" \\ %s :x"})
    async with store.transaction() as transaction:
        await transaction.inbox.add(strange, NOW)
        item = await transaction.inbox.claim("w1", NOW, LEASE)
    assert item is not None
    assert item.arrival == strange


async def test_workers_of_two_replicas_claim_arrivals_once(url: str) -> None:
    replicas = [Database(url), Database(url)]
    async with SqlStore(replicas[0]).transaction() as transaction:
        for n in range(50):
            await transaction.inbox.add(arrival(n), NOW)
    taken: list[str] = []

    async def work(worker: int) -> None:
        store = SqlStore(replicas[worker % 2])
        while True:
            async with store.transaction() as transaction:
                item = await transaction.inbox.claim(f"w{worker}", NOW, LEASE)
            if item is None:
                return
            taken.append(item.arrival.event_id)
            async with store.transaction() as transaction:
                assert await transaction.inbox.finish(item, Ending.ANSWERED, None, NOW)

    await asyncio.gather(*(work(worker) for worker in range(8)))
    assert sorted(taken) == sorted(f"Ev{n}" for n in range(50))
    for replica in replicas:
        await replica.close()


async def test_concurrent_deliveries_of_an_event_are_kept_once(url: str) -> None:
    replicas = [Database(url), Database(url)]

    async def add(replica: Database) -> bool:
        async with SqlStore(replica).transaction() as transaction:
            return await transaction.inbox.add(arrival(), NOW)

    assert sorted(await asyncio.gather(*(add(replica) for replica in replicas * 3))) == [False] * 5 + [True]
    for replica in replicas:
        await replica.close()


async def test_arrivals_of_a_message_have_their_ending(store: Store) -> None:
    edit = arrival().model_copy(update={"event_id": "Ev1b", "kind": ArrivalKind.EDITED})
    async with store.transaction() as transaction:
        for delivered in (arrival(), edit, arrival(2)):
            await transaction.inbox.add(delivered, NOW)
        item = await transaction.inbox.claim("w1", NOW, LEASE)
        assert item is not None
        await transaction.inbox.finish(item, Ending.FAILED, "down", NOW)
    async with store.transaction() as transaction:
        found = await transaction.inbox.of(arrival().place)
    assert found == [(arrival().model_copy(update={"text": ""}), Ending.FAILED), (edit, None)]


async def test_claim_does_not_read_ended_arrivals(database: Database, store: Store) -> None:
    old = {"arrival": {}, "received_at": NOW, "due_at": NOW, "attempts": 1, "ending": "answered"}
    async with database.begin() as connection:
        await connection.execute(insert(inbox), [{"event_id": f"old{n}", **old} for n in range(3000)])
    async with database.begin() as connection:
        claiming = SqlInbox(connection)
        assert await claiming.claim("w1", NOW, LEASE) is None
        [plan] = await plans_of(connection, lambda: claiming.claim("w1", NOW, LEASE))
    assert "ix_inbox_open" in plan


async def test_holder_may_renew_its_lease(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.inbox.add(arrival(), NOW)
        first = await transaction.inbox.claim("w1", NOW, LEASE)
        assert first is not None
        assert await transaction.inbox.renew(first, NOW + 2 * LEASE)
        assert await transaction.inbox.claim("w2", NOW + LEASE, LEASE) is None
        second = await transaction.inbox.claim("w2", NOW + 2 * LEASE, LEASE)
        assert second is not None
        assert not await transaction.inbox.renew(first, NOW + 9 * LEASE)
        assert await transaction.inbox.finish(second, Ending.ANSWERED, None, NOW)
        assert not await transaction.inbox.renew(second, NOW + 9 * LEASE)


async def test_message_is_known_after_it_has_ended(store: Store) -> None:
    asked = arrival()
    async with store.transaction() as transaction:
        assert not await transaction.inbox.knows(asked.place)
        assert await transaction.inbox.depth(NOW) == (0, timedelta())
        await transaction.inbox.add(asked, NOW)
        assert await transaction.inbox.knows(asked.place)
        assert await transaction.inbox.depth(NOW + LEASE) == (1, LEASE)
        item = await transaction.inbox.claim("w1", NOW, LEASE)
        assert item is not None
        await transaction.inbox.finish(item, Ending.IGNORED, "empty", NOW)
        assert await transaction.inbox.knows(asked.place)
        assert not await transaction.inbox.knows(asked.place.model_copy(update={"ts": "9.9"}))
        assert await transaction.inbox.depth(NOW + LEASE) == (0, timedelta())


async def test_old_ended_arrivals_are_pruned_in_batches(store: Store) -> None:
    async with store.transaction() as transaction:
        for n in range(6):
            await transaction.inbox.add(arrival(n), NOW)
        for n in range(5):  # the last arrival stays open and is never pruned
            item = await transaction.inbox.claim("w1", NOW, LEASE)
            assert item is not None
            assert await transaction.inbox.finish(item, Ending.ANSWERED, None, NOW + n * SECOND)
    async with store.transaction() as transaction:
        assert await transaction.inbox.prune(NOW + 3 * SECOND, 2) == 2
    async with store.transaction() as transaction:
        assert await transaction.inbox.prune(NOW + 3 * SECOND, 2) == 1
        assert [await transaction.inbox.knows(arrival(n).place) for n in range(6)] == [False] * 3 + [True] * 3
        assert await transaction.inbox.prune(NOW + LEASE, 10) == 2
        assert await transaction.inbox.open() == 1


async def test_handed_back_arrival_is_claimable_under_new_token(store: Store, claimed: InboxItem) -> None:
    async with store.transaction() as transaction:
        await transaction.inbox.add(arrival(2), NOW)
        other = await transaction.inbox.claim("w2", NOW, LEASE)
    assert other is not None
    async with store.transaction() as transaction:
        assert await transaction.inbox.hand_back("w1", NOW + SECOND) == 1
        again = await transaction.inbox.claim("w3", NOW + SECOND, LEASE)
        assert await transaction.inbox.claim("w3", NOW + SECOND, LEASE) is None, "another owner's was handed back"
        assert not await transaction.inbox.finish(claimed, Ending.ANSWERED, None, NOW + SECOND)
    assert again is not None
    assert (again.id, again.attempts, again.received_at) == (claimed.id, 2, NOW)


async def test_ended_and_postponed_arrivals_are_not_handed_back(store: Store, claimed: InboxItem) -> None:
    async with store.transaction() as transaction:
        assert await transaction.inbox.postpone(claimed, NOW + LEASE)
        assert await transaction.inbox.hand_back("w1", NOW) == 0
        assert await transaction.inbox.claim("w1", NOW, LEASE) is None
        again = await transaction.inbox.claim("w1", NOW + LEASE, LEASE)
        assert again is not None
        assert await transaction.inbox.finish(again, Ending.ANSWERED, None, NOW)
        assert await transaction.inbox.hand_back("w1", NOW) == 0


async def test_audience_is_kept_beside_the_arrival(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(1).model_copy(update={"audience": Audience.PRIVATE}), NOW)
        item = await tx.inbox.claim("w", NOW, LEASE)
    assert item is not None
    assert item.arrival.audience is Audience.PRIVATE


async def test_words_of_others_leave_document_and_end(store: Store, database: Database) -> None:
    """An older program must find the asker's own words alone, and nothing of anybody stays after the end."""
    quoting = arrival().model_copy(
        update={"quotes": ("her words",), "authors": (Author(id="U5", channel="C9", ts=""),)}
    )
    async with store.transaction() as tx:
        await tx.inbox.add(quoting, NOW)
        item = await tx.inbox.claim("w", NOW, LEASE)
        assert item is not None
        assert item.arrival == quoting
    async with database.begin() as connection:
        assert not {"quotes", "authors"} & set((await connection.execute(select(inbox.c.arrival))).scalar_one())
    async with store.transaction() as tx:
        await tx.inbox.finish(item, Ending.ANSWERED, None, NOW)
    async with database.begin() as connection:
        assert "her words" not in str((await connection.execute(select(inbox))).one())
