"""The clock that wakes us: APScheduler only ticks; what is due stands in the database."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from handlers.server.backoff import LONGEST_REST, Backoff

Act = Callable[[], Awaitable[None]]
Acts = Mapping[str, tuple[Act, float]]
"""Name → (act, seconds between two starts)."""


def patient(name: str, act: Act, seconds: float, now: Callable[[], float] = time.monotonic) -> Act:
    """The act, as it is called while what it needs is away: less and less often, and without a line for each try."""
    setbacks, resting_until = Backoff(f"tick {name}", min(seconds, LONGEST_REST), now), 0.0

    async def once() -> None:
        nonlocal resting_until
        if now() < resting_until:
            return
        try:
            await act()
        except Exception as error:  # noqa: BLE001 - it is logged, and the clock goes on
            resting_until = now() + setbacks.failed(error) - seconds / 2  # ticks are not exact
        else:
            setbacks.worked()

    return once


class Schedule:
    """Calls acts at intervals, each never twice at once. Its jobs live in memory: every replica ticks by itself.

    `alone` makes of (name, act, seconds) the act as only one replica at a time does it.
    """

    def __init__(self, alone: Callable[[str, Act, float], Act]) -> None:
        self._alone = alone
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self, each: Acts, one: Acts) -> None:
        """Start to tick: what each replica does, and what one of them does. Needs a running event loop."""
        shared = {name: (self._alone(name, act, seconds), seconds) for name, (act, seconds) in one.items()}
        for name, (act, seconds) in {**each, **shared}.items():
            self._scheduler.add_job(
                _stoppable(patient(name, act, seconds)),
                IntervalTrigger(seconds=seconds),
                id=name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,  # a late tick is better than none: the default skips it in silence
            )
        self._scheduler.start()

    def now(self, name: str) -> None:
        """Call an act at once, besides its usual times; nothing happens once `stop` was called."""
        job = self._scheduler.get_job(name)
        if job:
            # The scheduler compares this with the machine's clock, so it is no matter for the Clock port.
            job.modify(next_run_time=datetime.now(UTC))  # noqa: TID251

    def stop(self) -> None:
        """Tick no more; an act that is under way is cancelled."""
        self._scheduler.shutdown(wait=False)


def _stoppable(act: Act) -> Act:
    """The act, which ends where it is cancelled: at its end the scheduler would call that an error of the act's."""

    async def until_stopped() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await act()

    return until_stopped
