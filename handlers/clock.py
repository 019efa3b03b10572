"""The clock that wakes us: APScheduler only ticks; what is due stands in the database."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger


class Ticks:
    """Calls acts at intervals, each never twice at once. Its jobs live in memory: every replica ticks by itself."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self, acts: Mapping[str, tuple[Callable[[], Awaitable[None]], float]]) -> None:
        """Start to tick: name → (act, seconds between two starts). Needs a running event loop."""
        for name, (act, seconds) in acts.items():
            self._scheduler.add_job(
                act,
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
        self._scheduler.shutdown(wait=False)
