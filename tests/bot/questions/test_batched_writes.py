"""Writes that arrive together share one batch."""

import asyncio
from collections.abc import Sequence
from types import NoneType

import pytest

from bot.ports import Transaction
from bot.questions.batched_writes import BatchedWrites, SharedTransactions
from bot.questions.leasing import LeaseLost
from storage.store import SqlStore
from tests.storage.things import NOW


class Writer:
    """A doubler of numbers that records each batch. It fails a batch with 13, and waits until `ready` is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.ready = asyncio.Event()
        self.ready.set()

    async def work(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append([*numbers])
        await asyncio.sleep(0)
        await self.ready.wait()
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


@pytest.fixture
def writer() -> Writer:
    return Writer()


async def test_writes_at_one_moment_are_batched(writer: Writer) -> None:
    writes = BatchedWrites(writer.work, 4)
    assert await asyncio.gather(*map(writes.do, range(10))) == [2 * n for n in range(10)]
    assert writer.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert await writes.do(50) == 100
    assert writer.batches[-1] == [50]


async def test_writes_during_a_batch_share_the_next_one(writer: Writer) -> None:
    writes = BatchedWrites(writer.work, 4)
    writer.ready.clear()
    first = asyncio.create_task(writes.do(1))
    await asyncio.sleep(0)
    others = asyncio.gather(writes.do(2), writes.do(3))
    await asyncio.sleep(0)
    writer.ready.set()
    assert (await first, *await others) == (2, 4, 6)
    assert writer.batches == [[1], [2, 3]]


async def test_failing_item_fails_only_its_own_caller(writer: Writer) -> None:
    writes = BatchedWrites(writer.work, 4)
    outcomes = await asyncio.gather(*map(writes.do, (11, 12, 13, 14)), return_exceptions=True)
    assert writer.batches == [[11, 12, 13, 14], [11], [12], [13], [14]]
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [22, 24, 28]
    assert isinstance(outcomes[2], ValueError)


async def test_cancelled_caller_does_not_affect_other_callers(writer: Writer) -> None:
    writes = BatchedWrites(writer.work, 2)
    writer.ready.clear()
    waiting = [asyncio.create_task(writes.do(n)) for n in (1, 2, 3, 4)]
    for _ in range(3):
        await asyncio.sleep(0)
    waiting[0].cancel()  # its batch has begun
    waiting[2].cancel()  # it waits for the next batch
    await asyncio.sleep(0)
    writer.ready.set()
    assert (await waiting[1], await waiting[3]) == (4, 8)
    assert writer.batches == [[1, 2], [4]]


async def test_caller_cancelled_as_its_batch_ends_harms_nobody() -> None:
    callers: list[asyncio.Task[int]] = []

    async def work(numbers: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        callers[0].cancel()  # it learns of this only after the results are handed out
        return [2 * number for number in numbers]

    writes = BatchedWrites(work, 2)
    callers += [asyncio.create_task(writes.do(n)) for n in (1, 2)]
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1] == 4


async def test_cancelled_batch_leaves_nobody_waiting() -> None:
    async def cancelled(_numbers: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    writes = BatchedWrites(cancelled, 1)
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*map(writes.do, (1, 2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2


async def test_callers_share_a_transaction(store: SqlStore, begun: list[None]) -> None:
    shared = SharedTransactions(store, 10)

    async def move(n: int) -> str | None:
        async def work(tx: Transaction) -> str | None:
            await tx.cursors.move(f"cursor {n}", str(n), NOW)
            return await tx.cursors.get(f"cursor {n}")

        return await shared.run(work)

    assert await asyncio.gather(*map(move, range(9))) == [str(n) for n in range(9)]
    assert len(begun) == 1


async def test_failed_work_undoes_only_its_own(store: SqlStore) -> None:
    shared = SharedTransactions(store, 10)

    async def move(n: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.cursors.move(f"cursor {n}", str(n), NOW)
            if n == 2:
                raise LeaseLost

        await shared.run(work)

    results = await asyncio.gather(*map(move, range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [NoneType, NoneType, LeaseLost, NoneType, NoneType]
    async with store.transaction() as tx:
        assert sorted(await tx.cursors.starting("cursor ")) == [f"cursor {n}" for n in (0, 1, 3, 4)]
