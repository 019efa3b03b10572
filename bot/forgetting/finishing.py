"""The act that carries out all requests to forget where no bot runs any more: its app was removed from Slack."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from bot.domain.forgetting import ForgetRequest, ForgetState
from bot.domain.replica import REPLICA_SILENT_AFTER
from bot.forgetting.reaching import Reaching
from bot.ports import Clock, Store

LISTED = 50
"""Most requests that are looked after: retention makes a few a day, people make fewer."""
NEXT_LOOK = 0.5
"""Seconds until it is looked again whether a step is due."""


class Finishing:
    """The execution of requests to forget, step by step, in this process.

    Args:
        store: The database.
        clock: The time.
        reaching: What carries out each step; it has no Slack.
        patience: How long nothing may come due before what is left is given back: a tracker can take days.
    """

    def __init__(self, store: Store, clock: Clock, reaching: Reaching, patience: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._reaching = reaching
        self._patience = patience

    async def find_running(self) -> bool:
        """Return whether a bot works with this database. It can still change what stands in Slack."""
        async with self._store.snapshot() as tx:
            return bool(await tx.replicas.seen(self._clock.now() - REPLICA_SILENT_AFTER))

    async def find_open(self) -> list[ForgetRequest]:
        """Return the requests that are not done."""
        async with self._store.snapshot() as tx:
            return [one for one in await tx.forgetting.newest(LISTED) if one.state is not ForgetState.DONE]

    async def finish(self) -> list[ForgetRequest]:
        """Carry out all requests and return them as they are then. One that waits for a service may not be done."""
        asked = [one.id for one in await self.find_open()]
        seen, last = await self._look(asked), self._clock.now()
        while any(one.state is not ForgetState.DONE for one in seen):
            worked = await self._reaching.reach_next()
            found = await self._look(asked)
            if found != seen:
                seen, last = found, self._clock.now()
            elif self._clock.now() - last > self._patience:
                break
            elif not worked:
                await asyncio.sleep(NEXT_LOOK)
        reported = True
        while reported:  # a report takes the person out of its request
            reported = await self._reaching.reach_next()
        return await self._look(asked)

    async def _look(self, ids: Sequence[str]) -> list[ForgetRequest]:
        async with self._store.snapshot() as tx:
            found = [await tx.forgetting.get(one) for one in ids]
        return [one for one in found if one]
