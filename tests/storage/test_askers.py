"""Each person's recent questions: counted once for all replicas, and deleted after some days."""

import asyncio
from datetime import timedelta

from bot.domain.question import Arrival, InboxItem, Place, Via
from bot.questions.arrivals import AskingLimit
from storage.store import SqlStore
from tests.kits.fakes import StepClock
from tests.storage.things import NOW

MOST = 5


def item(n: int, asker: str = "U1") -> InboxItem:
    ts = f"{NOW.timestamp():.6f}"
    place = Place(team="T1", channel="C1", ts=ts)
    arrival = Arrival(event_id=f"Ev{n}", via=Via.MENTION, place=place, asker=asker, text="leave?")
    return InboxItem(id=n, arrival=arrival, attempts=1, token="t", received_at=NOW)


async def test_replicas_share_the_count(store: SqlStore) -> None:
    replicas = [AskingLimit(store, StepClock(NOW), MOST) for _ in range(3)]
    refusals = await asyncio.gather(*(replicas[n % 3].count(item(n)) for n in range(12)))
    assert sum(refusal is None for refusal in refusals) == MOST
    assert sum(refusal is not None and refusal.tell for refusal in refusals) == 1
    assert await replicas[0].count(item(99, "U2")) is None


async def test_new_process_knows_what_was_asked(store: SqlStore) -> None:
    for n in range(MOST):
        assert await AskingLimit(store, StepClock(NOW), MOST).count(item(n)) is None
    again = AskingLimit(store, StepClock(NOW), MOST)
    assert await again.count(item(0)) is None
    assert await again.count(item(MOST)) is not None
    assert await again.refusal("U1") is not None
    assert await again.refusal("U2") is None


async def test_no_limit_stores_nothing(store: SqlStore) -> None:
    limit = AskingLimit(store, StepClock(NOW), None)
    assert [await limit.count(item(n)) for n in range(100)] == [None] * 100
    async with store.snapshot() as tx:
        assert (await tx.askers.lately("U1")).events == {}


async def test_people_who_stopped_asking_are_forgotten(store: SqlStore) -> None:
    await AskingLimit(store, StepClock(NOW), MOST).count(item(1))
    for before, known in ((NOW, 1), (NOW + timedelta(seconds=1), 0)):
        async with store.transaction() as tx:
            await tx.askers.prune(before)
        async with store.snapshot() as tx:
            assert len((await tx.askers.lately("U1")).events) == known
