"""How replicas share one database: which are alive, and which one runs each periodic task."""

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
"""Minimum lease. After a crash, nobody does the work until the lease expires."""


class ReplicaLeases:
    """This replica's heartbeat and its leases.

    Args:
        store: the database that all replicas share.
        clock: the time of heartbeats and leases.
        version: the program's version.

    Attributes:
        id: a random id, new at each start.
    """

    def __init__(self, store: Store, clock: Clock, version: str) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._store = store
        self._clock = clock
        self._version = version
        self._started_at = clock.now()
        self._held: dict[str, tuple[str, datetime]] = {}

    async def beat(self) -> None:
        """Record that this replica is alive and which release it serves; remove the silent replicas."""
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

    def exclusive(self, name: str, act: Callable[[], Awaitable[None]], every: float) -> Callable[[], Awaitable[None]]:
        """Return the act as a task that one replica at a time runs; on the others it does nothing.

        The lease is kept between two calls, so one replica sets the pace. A replica that was paused for longer than
        its lease is not stopped when it resumes, so two runs at once must do no harm.

        Args:
            name: name of the lease.
            act: the act to run.
            every: seconds between two calls.
        """
        lease = max(SHORTEST_LEASE, timedelta(seconds=2 * every))

        async def run_if_leased() -> None:
            if not await self._acquire(name, lease):
                return
            renewing = asyncio.create_task(self._renew(name, lease))
            try:
                await act()
            finally:
                renewing.cancel()

        return run_if_leased

    async def leave(self) -> None:
        """Release all leases and remove this replica. If the database is down, the leases expire by themselves."""
        held, self._held = self._held, {}
        try:
            async with self._store.transaction() as tx:
                for name, (token, _) in held.items():
                    await tx.leases.release(name, token)
                await tx.replicas.leave(self.id)
        except Exception as error:  # noqa: BLE001 - this replica ends in any case
            log.warning("the leases could not be released and will expire: %s", type(error).__name__)

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
            with contextlib.suppress(Exception):  # the act itself reports a database that is down
                await self._acquire(name, lease)
