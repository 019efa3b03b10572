"""The one look at all queues."""

from datetime import timedelta

from bot.domain.finetune import FinetuneState
from bot.ports import DueWork, Store
from tests.storage.things import LEASE, NOW, PROMPT, arrival, finetune, manifest

QUEUES = (("card", "owner"), ("shadow",))
NOTHING = DueWork(arrivals=False, entries=(False, False), finetunes=False)
SECOND = timedelta(seconds=1)


async def look(store: Store, after: timedelta = timedelta()) -> DueWork:
    async with store.transaction() as tx:
        return await tx.due.work(NOW + after, QUEUES)


async def test_claimed_arrival_is_due_again_after_its_lease(store: Store) -> None:
    assert await look(store) == NOTHING
    async with store.transaction() as tx:
        await tx.inbox.add(arrival(), NOW + SECOND)
    assert await look(store) == NOTHING
    assert await look(store, SECOND) == NOTHING._replace(arrivals=True)
    async with store.transaction() as tx:
        assert await tx.inbox.claim("a", NOW + SECOND, LEASE)
    assert await look(store, SECOND) == NOTHING
    assert await look(store, SECOND + LEASE) == NOTHING._replace(arrivals=True)


async def test_entry_behind_an_older_one_is_not_due(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.outbox.add("shadow", "q1", {}, NOW, due=NOW + 2 * SECOND)
        await tx.outbox.add("shadow", "q1", {}, NOW)
        await tx.outbox.add("mirror", "q1", {}, NOW)
    assert await look(store, SECOND) == NOTHING
    assert await look(store, 2 * SECOND) == NOTHING._replace(entries=(False, True))
    async with store.transaction() as tx:
        await tx.outbox.add("owner", "q1", {}, NOW)
    assert await look(store) == NOTHING._replace(entries=(True, False))


async def test_finetune_under_way_is_seen(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.prompts.put(PROMPT)
        await tx.datasets.put(manifest(), NOW)
        await tx.finetunes.add(finetune())
    assert await look(store) == NOTHING
    async with store.transaction() as tx:
        confirmed = finetune(state=FinetuneState.CONFIRMED)
        assert await tx.finetunes.advance(confirmed, FinetuneState.PLANNED)
    assert await look(store) == NOTHING._replace(finetunes=True)
