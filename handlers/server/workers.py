"""The worker pools of a replica, and the one look at the database that wakes them."""

import asyncio
import logging
import time

from bot.acts import Acts, Ports, SlackActs
from handlers.server.clock import Schedule
from handlers.server.pool import Pool

log = logging.getLogger(__name__)

ANSWERERS = 8
DELIVERERS = 8
RECHECKERS = 2
FORGETTERS = 1
SHADOWERS = 1
"""Nobody waits for a shadow, so shadows get one worker and leave the rest to questions."""
HAND_BACK_SECONDS = 2.0


class DrainDeadline:
    """The deadline that all unfinished work shares at the stop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: float | None = None

    def left(self) -> float:
        """Return the seconds left. The first call starts the clock."""
        now = time.monotonic()
        self._ends = now + self._seconds if self._ends is None else self._ends
        return max(0.0, self._ends - now)


class Workers:
    """The worker pools: answers, deliveries, rechecks, shadows and forgetting.

    No pool polls its queue. One statement a second looks at all of them, and wakes the pools that have work.

    Attributes:
        trains: Whether a fine-tune was under way at the last look.
    """

    def __init__(self, ports: Ports, acts: Acts, slack: SlackActs, drain: DrainDeadline) -> None:
        self._store, self._clock = ports.store, ports.clock
        rechecking, shadowing = acts.rechecking, acts.shadowing
        self._answerers = Pool(slack.answering.answer_next, ANSWERERS, poll=None)
        slack.answering.waiting_workers = self._answerers.waiting
        self._deliverers = Pool(slack.delivering.deliver_next, DELIVERERS, poll=None)
        slack.delivering.waiting_workers = self._deliverers.waiting
        acts.correcting.deliverers = slack.delivering
        self._forgetters = Pool(slack.reaching.reach_next, FORGETTERS, poll=None)
        rechecks = Pool(rechecking.recheck_next, RECHECKERS, poll=None)
        shadows = Pool(shadowing.shadow_next, SHADOWERS, poll=None)
        self._look = Pool(self.wake_due, 1)
        self._others = (rechecks, shadows, self._forgetters)
        self._queues = (slack.answering, slack.delivering, rechecking, shadowing, slack.reaching)
        self._of_entries = {
            self._deliverers: slack.delivering.topics,
            rechecks: rechecking.topics,
            shadows: shadowing.topics,
            self._forgetters: slack.reaching.topics,
        }
        self.drain = drain
        self.trains = True
        self.answer = self._answerers.wake
        self.update = self._deliverers.wake

    def deliver(self) -> None:
        """Wake the workers that deliver, and those that forget."""
        self._deliverers.wake()
        self._forgetters.wake()

    def train(self, schedule: Schedule) -> None:
        """Follow a fine-tune at once, without waiting for the next look."""
        self.trains = True
        schedule.run_now("follow")

    async def wake_due(self) -> bool:
        """Wake the pools with work that has come due or that another replica has stored. Returns False: it polls."""
        async with self._store.transaction() as tx:
            due = await tx.due.work(self._clock.now(), [*self._of_entries.values()])
        self.trains = due.finetunes
        for pool, is_due in zip(self._of_entries, due.entries, strict=True):
            if is_due:
                pool.wake()
        if due.arrivals:
            self.answer()
        return False

    def start(self) -> None:
        for pool in (self._answerers, self._deliverers, *self._others, self._look):
            pool.start()

    async def stop(self) -> None:
        """Finish the work that fits into the drain deadline, and hand the rest back to other replicas."""
        for pool in self._others:
            await pool.stop(0)  # nobody waits for their results
        await self._answerers.stop(self.drain.left())  # first, because an answer adds a delivery
        await self._look.stop(0)
        await self._deliverers.stop(self.drain.left())
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS):
                for queue in self._queues:
                    await queue.hand_back()
        except Exception as error:  # noqa: BLE001 - the leases run out by themselves
            log.warning("unfinished work could not be handed back: %s", type(error).__name__)
