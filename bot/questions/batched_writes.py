"""Batches of concurrent writes, one transaction each: under load, a commit serves several questions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from bot.ports import Store, Transaction

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class BatchedWrites(Generic[ItemT, ResultT]):
    """A queue of writes. Callers that arrive at one moment or during a batch share one; a lone caller runs at once.

    Args:
        work: Writes several items, all or nothing; returns one result per item, in order.
        max_items: Upper bound per batch.
    """

    def __init__(self, work: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]], max_items: int) -> None:
        self._work = work
        self._max_items = max_items
        self._waiting: dict[asyncio.Future[ResultT], ItemT] = {}
        self._running: asyncio.Task[None] | None = None

    async def do(self, item: ItemT) -> ResultT:
        """Write an item and return its result. A caller that is cancelled cancels no batch that has begun.

        Raises:
            Exception: Whatever `work` raises for this item alone. No caller fails because of another caller's item.
        """
        result: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting[result] = item
        if self._running is None or self._running.done():
            # It begins after all callers of this moment, such as those whose results came from one batch.
            self._running = asyncio.create_task(self._run())
        try:
            return await result
        finally:
            self._waiting.pop(result, None)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._run_batch(dict(islice(self._waiting.items(), self._max_items)))
        finally:
            for future in self._waiting:  # there are some only if this task was cancelled: nobody may wait for ever
                future.cancel()

    async def _run_batch(self, batch: dict[asyncio.Future[ResultT], ItemT]) -> None:
        """Write a batch and hand out the results."""
        try:
            outcomes: Sequence[ResultT | BaseException] = await self._work([*batch.values()])
        except Exception as error:  # noqa: BLE001 - each caller gets its own item's error
            one_by_one = (self._work([item]) for item in batch.values())
            results = [error] if len(batch) == 1 else await asyncio.gather(*one_by_one, return_exceptions=True)
            outcomes = [result if isinstance(result, BaseException) else result[0] for result in results]
        for future, outcome in zip(batch, outcomes, strict=True):
            if self._waiting.pop(future, None) is None or future.done():
                continue  # its caller was cancelled meanwhile, even if it does not know yet
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class SharedTransactions:
    """Transactions that callers at the same moment share.

    Work that fails undoes what shares its transaction. Then each is done once more, alone, so it must be repeatable.

    Args:
        store: The database.
        most: Upper bound per transaction.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._writes = BatchedWrites[Callable[[Transaction], Awaitable[Any]], Any](self._run, most)

    async def run(self, work: Callable[[Transaction], Awaitable[ResultT]]) -> ResultT:
        """Return the work's result after its commit.

        Raises:
            Exception: Whatever this work raises. Nothing of it is stored then.
        """
        return cast("ResultT", await self._writes.do(work))

    async def _run(self, several: Sequence[Callable[[Transaction], Awaitable[Any]]]) -> list[Any]:
        async with self._store.transaction() as tx:
            return [await work(tx) for work in several]
