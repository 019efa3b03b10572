"""The deletion of old arrivals."""

import logging
from datetime import timedelta

from bot.ports import Clock, Store

log = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=31)
"""How long an ended arrival is kept. Nothing looks back further: Slack redelivers an event within minutes, and catching
up reads 30 days."""
PRUNED_PER_TRANSACTION = 500
"""Upper bound per transaction, because other writers wait for it."""


class Pruning:
    """Deletes old arrivals. An ended arrival holds no text; it is only kept to recognise the same message again."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def prune(self) -> None:
        """Delete all arrivals that ended more than `KEPT_FOR` ago. Concurrent and interrupted runs are harmless."""
        pruned = 0
        while True:
            async with self._store.transaction() as tx:
                batch = await tx.inbox.prune(self._clock.now() - KEPT_FOR, PRUNED_PER_TRANSACTION)
            pruned += batch
            if batch < PRUNED_PER_TRANSACTION:
                break
        if pruned:
            log.info("deleted %s arrivals that ended more than %s days ago", pruned, KEPT_FOR.days)
