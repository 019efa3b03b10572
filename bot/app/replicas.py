"""How replicas share one database: which are alive, and which one runs each periodic task."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.domain.replica import REPLICA_SILENT_AFTER
from bot.ports import Clock, Store

log = logging.getLogger(__name__)

REPLICA_LEASE = timedelta(seconds=10)
"""Lease on the periodic tasks: two heartbeats. After a crash, nobody runs them until it expires."""


class ReplicaLeases:
    """This replica's heartbeat and its leases, which the heartbeat renews.

    Args:
        store: The database that all replicas share.
        clock: The time of heartbeats and leases.
        version: The program's version.

    Attributes:
        id: A random id, new at each start.
    """

    def __init__(self, store: Store, clock: Clock, version: str) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._store = store
        self._clock = clock
        self._version = version
        self._started_at = clock.now()
        self._names: set[str] = set()
        self._held: dict[str, str] = {}
        self._held_until = self._forget_at = self._started_at

    async def beat(self) -> None:
        """Record that this replica is alive, acquire or renew its leases, and remove silent replicas now and then."""
        now = self._clock.now()
        async with self._store.transaction() as tx:
            await tx.replicas.beat(self.id, self._version, self._started_at, now)
            held = dict(await tx.leases.acquire_all(self._names, self.id, now, REPLICA_LEASE))
            if now >= self._forget_at:
                await tx.replicas.forget(now - REPLICA_SILENT_AFTER)
                self._forget_at = now + REPLICA_SILENT_AFTER  # who asks which replicas run leaves silent ones out
        self._held, self._held_until = held, now + REPLICA_LEASE

    def exclusive(self, name: str, act: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Return the act as a task that one replica at a time runs, from the next heartbeat on.

        On the others it does nothing. The lease is kept between two calls, so one replica sets the pace. A replica that
        was paused for longer than its lease is not stopped when it resumes, so two runs at once must do no harm.
        """
        self._names.add(name)

        async def run_if_leased() -> None:
            if name in self._held and self._clock.now() < self._held_until:
                await act()

        return run_if_leased

    async def leave(self) -> None:
        """Release all leases and remove this replica. If the database is down, the leases expire by themselves."""
        held, self._held = self._held, {}
        try:
            async with self._store.transaction() as tx:
                for name, token in held.items():
                    await tx.leases.release(name, token)
                await tx.replicas.leave(self.id)
        except Exception as error:  # noqa: BLE001 - this replica ends in any case
            log.warning("the leases could not be released and will expire: %s", type(error).__name__)
