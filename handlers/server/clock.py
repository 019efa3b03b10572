"""Periodic jobs. APScheduler only provides the ticks; the database says what is due."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from handlers.server.backoff import LONGEST_DELAY, Backoff

ScheduledAct = Callable[[], Awaitable[None]]
Timetable = Mapping[str, tuple[ScheduledAct, float]]
"""Name → (act, seconds between two starts)."""


def with_backoff(
    name: str, act: ScheduledAct, seconds: float, now: Callable[[], float] = time.monotonic
) -> ScheduledAct:
    """Return the act with a backoff: while it fails, it skips ticks, and not every failure is logged.

    Args:
        name: The act's name, for the log.
        act: The act. Its errors are logged and do not leave the returned act.
        seconds: The interval between two ticks.
        now: Seconds of a monotonic clock.
    """
    backoff, paused_until = Backoff(f"tick {name}", min(seconds, LONGEST_DELAY), now), 0.0

    async def run() -> None:
        nonlocal paused_until
        if now() < paused_until:
            return
        try:
            await act()
        except Exception as error:  # noqa: BLE001 - it is logged, and the clock goes on
            # Half an interval early, because ticks are not exact.
            paused_until = now() + backoff.record_failure(error) - seconds / 2
        else:
            backoff.record_success()

    return run


class Schedule:
    """Acts that run at intervals, never the same act twice at once. Every replica has its own schedule, in memory.

    Args:
        on_one_replica: Takes a name and an act, and returns an act that runs on only one replica at a time.
    """

    def __init__(self, on_one_replica: Callable[[str, ScheduledAct], ScheduledAct]) -> None:
        self._on_one_replica = on_one_replica
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def add(self, each: Timetable, one: Timetable) -> None:
        """Add acts, which do not run before `start`.

        Args:
            each: The acts that every replica runs.
            one: The acts that only one replica at a time runs.
        """
        shared = {name: (self._on_one_replica(name, act), seconds) for name, (act, seconds) in one.items()}
        for name, (act, seconds) in {**each, **shared}.items():
            self._scheduler.add_job(
                _ignore_cancellation(with_backoff(name, act, seconds)),
                IntervalTrigger(seconds=seconds),
                id=name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,  # the default silently skips a late tick
            )

    def start(self, at_once: Collection[str] = ()) -> None:
        """Start the ticks in the running event loop; the acts named in `at_once` do not wait for their intervals."""
        self._scheduler.start()
        for name in at_once:
            self.run_now(name)

    def run_now(self, name: str) -> None:
        """Call an act at once, in addition to its interval. After `stop` this does nothing."""
        job = self._scheduler.get_job(name)
        if job:
            # Not the Clock port: the scheduler compares this with the machine's clock.
            job.modify(next_run_time=datetime.now(UTC))  # noqa: TID251

    def stop(self) -> None:
        """Stop the ticks and cancel acts in progress."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def _ignore_cancellation(act: ScheduledAct) -> ScheduledAct:
    """Return an act that ends quietly when it is cancelled: the scheduler logs a cancellation as an error."""

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await act()

    return run
