"""Pruning deletes old ended arrivals, in batches."""

from datetime import timedelta

import pytest

from bot.domain.question import Ending
from bot.questions import arrivals
from bot.questions.arrivals import KEPT_FOR, Pruning
from bot.questions.catching_up import LOOK_BACK
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.fakes import StepClock


async def test_all_old_arrivals_are_deleted_in_several_batches(
    store: SqlStore, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "PRUNED_PER_TRANSACTION", 20)
    async with store.transaction() as tx:
        for n in range(2 * arrivals.PRUNED_PER_TRANSACTION + 1):
            await tx.inbox.add(arrival(n=n), clock.now())
            item = await tx.inbox.claim("w", clock.now(), timedelta(minutes=1))
            assert item is not None
            await tx.inbox.finish(item, Ending.IGNORED, None, clock.now())
    await Pruning(store, clock).prune()
    async with store.transaction() as tx:
        assert await tx.inbox.knows(arrival(n=0).place)
    clock.advance(seconds=KEPT_FOR.total_seconds() + 60)
    await Pruning(store, clock).prune()
    async with store.transaction() as tx:
        assert not await tx.inbox.knows(arrival(n=0).place)
        assert not await tx.inbox.knows(arrival(n=2 * arrivals.PRUNED_PER_TRANSACTION).place)


def test_arrivals_are_kept_longer_than_catching_up_reads() -> None:
    assert KEPT_FOR > LOOK_BACK
