"""One transaction for many who come at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class BatchedWrites(Generic[ItemT, ResultT]):
    """Who comes while `work` is under way shares its next turn with all the others who wait. Nobody waits for company.

    Args:
        work: does several things, all or nothing; what came of each, in order.
        most: so many in one turn.
    """

    def __init__(self, work: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]], most: int) -> None:
        self._work = work
        self._most = most
        self._waiting: dict[asyncio.Future[ResultT], ItemT] = {}
        self._turn = asyncio.Lock()

    async def do(self, asked: ItemT) -> ResultT:
        """What came of it. Raises what `work` raises for it alone: nobody fails because of another one."""
        mine: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = asked
        try:
            async with self._turn:
                while not mine.done():
                    await self._take(dict(islice(self._waiting.items(), self._most)))
        finally:
            self._waiting.pop(mine, None)
        return mine.result()

    async def _take(self, batch: dict[asyncio.Future[ResultT], ItemT]) -> None:
        """Where whoever takes the turn is cancelled, the others still wait, and the next of them takes it."""
        try:
            outcomes: Sequence[ResultT | BaseException] = await self._work([*batch.values()])
        except Exception as error:  # noqa: BLE001 - each is told what concerns it
            alone = (self._work([one]) for one in batch.values())
            each = [error] if len(batch) == 1 else await asyncio.gather(*alone, return_exceptions=True)
            outcomes = [one if isinstance(one, BaseException) else one[0] for one in each]
        for future, outcome in zip(batch, outcomes, strict=True):
            if self._waiting.pop(future, None) is None:
                continue  # it was cancelled meanwhile
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
