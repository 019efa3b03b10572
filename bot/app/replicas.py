"""How the copies of this program share one database: which are alive, and what is done by one at a time."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from bot.domain.replica import REPLICA_SILENT_AFTER, Replica
from bot.ports import Clock, Store

log = logging.getLogger(__name__)

SHORTEST_LEASE = timedelta(seconds=15)
"""The shortest lease: after a crash, so long nobody does the work."""


class ReplicaLeases:
    """This replica among the others. `id` is what all know it by; `version` is the program's."""

    def __init__(self, store: Store, clock: Clock, version: str) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._store = store
        self._clock = clock
        self._version = version
        self._started_at = clock.now()
        self._held: dict[str, tuple[str, datetime]] = {}

    async def beat(self) -> None:
        """Say that this replica is alive and what it serves; forget those that fell silent."""
        now = self._clock.now()
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
            await tx.replicas.beat(
                Replica(
                    id=self.id,
                    version=self._version,
                    release_id=serving.id if serving else None,
                    started_at=self._started_at,
                    seen_at=now,
                )
            )
            await tx.replicas.forget(now - REPLICA_SILENT_AFTER)

    def alone(self, name: str, act: Callable[[], Awaitable[None]], every: float) -> Callable[[], Awaitable[None]]:
        """The act as one replica at a time does it; on the others it does nothing.

        The lease is kept from one call to the next, so that the pace is one replica's. A replica that was paused for
        longer than its lease and goes on is not stopped: the act must do no harm where two are at it.

        Args:
            name: of the lease.
            act: what is done.
            every: seconds between two calls.
        """
        lease = max(SHORTEST_LEASE, timedelta(seconds=2 * every))

        async def once() -> None:
            if not await self._acquire(name, lease):
                return
            renewing = asyncio.create_task(self._renew(name, lease))
            try:
                await act()
            finally:
                renewing.cancel()

        return once

    async def leave(self) -> None:
        """Give all leases back and be forgotten; where the database is gone, the leases run out by themselves."""
        held, self._held = self._held, {}
        try:
            async with self._store.transaction() as tx:
                for name, (token, _) in held.items():
                    await tx.leases.release(name, token)
                await tx.replicas.leave(self.id)
        except Exception as error:  # noqa: BLE001 - whatever it is, this replica ends
            log.warning("the leases are not given back, they run out: %s", type(error).__name__)

    async def _acquire(self, name: str, lease: timedelta) -> bool:
        now = self._clock.now()
        _, until = self._held.get(name, ("", now))
        if until - now > lease / 2:
            return True
        async with self._store.transaction() as tx:
            token = await tx.leases.acquire(name, self.id, now, lease)
        if token is None:
            self._held.pop(name, None)
            return False
        self._held[name] = (token, now + lease)
        return True

    async def _renew(self, name: str, lease: timedelta) -> None:
        while True:
            await asyncio.sleep(lease.total_seconds() / 3)
            with contextlib.suppress(Exception):  # what is wrong with the database, the act meets as well
                await self._acquire(name, lease)
