"""Forgets arrivals that nobody will bring again."""

import logging
from datetime import timedelta

from bot.ports import Clock, Store

log = logging.getLogger(__name__)

KEPT = timedelta(days=31)
"""Longer than anything looks back: Slack delivers an event again within minutes, catching up reads 30 days."""
PRUNED_PER_TRANSACTION = 500
"""Forgotten in one transaction: others wait for it."""


class Pruning:
    """An ended arrival holds no text any more; it stays so that the same message is recognised when it comes again."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def prune(self) -> None:
        """Forget all that ended long ago. Harmless where two do it at once, or where it is cut short."""
        pruned = 0
        while True:
            async with self._store.transaction() as tx:
                batch = await tx.inbox.prune(self._clock.now() - KEPT, PRUNED_PER_TRANSACTION)
            pruned += batch
            if batch < PRUNED_PER_TRANSACTION:
                break
        if pruned:
            log.info("%s arrivals that ended more than %s days ago are forgotten", pruned, KEPT.days)
