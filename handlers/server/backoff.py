"""Backoff for an operation that keeps failing: how long to wait between tries, and how often to log."""

import logging
import time
from collections.abc import Callable

from bot.domain.disk import DISK_FULL_FIELD, is_disk_full, log_failure

log = logging.getLogger(__name__)

LONGEST_DELAY = 10.0
"""Longest wait between tries, in seconds: also the longest delay before recovery is noticed."""
REMINDER_INTERVAL = 60.0
"""Seconds between the log lines about a failure that lasts."""


class Backoff:
    """Consecutive failures of one operation, shared by any number of workers.

    Args:
        operation: The operation's name, for the log.
        shortest_delay: Seconds to wait after the first failure.
        now: Seconds of a monotonic clock.
    """

    def __init__(self, operation: str, shortest_delay: float, now: Callable[[], float] = time.monotonic) -> None:
        self._operation = operation
        self._shortest_delay = shortest_delay
        self._now = now
        self._since: float | None = None
        self._logged_at = 0.0
        self._logged_types: set[type[Exception]] = set()

    def record_failure(self, error: Exception) -> float:
        """Return the seconds to wait before the next try: as long as the failures have lasted, within the limits.

        The first failure of each exception type is logged with its traceback, unless the disk is full.
        """
        now = self._now()
        if self._since is None:
            self._since = now
        if type(error) not in self._logged_types:
            log_failure(log, f"{self._operation} failed and will be retried", error)
            self._logged_types.add(type(error))
            self._logged_at = now
        elif now - self._logged_at >= REMINDER_INTERVAL:
            kind, extra = type(error).__name__, {DISK_FULL_FIELD: True} if is_disk_full(error) else None
            log.warning("%s still fails after %.0f s: %s", self._operation, now - self._since, kind, extra=extra)
            self._logged_at = now
        return min(max(self._shortest_delay, now - self._since), LONGEST_DELAY)

    def record_success(self) -> None:
        """Reset the backoff. The first success after failures is logged."""
        if self._since is not None:
            log.warning("%s works again after %.0f s", self._operation, self._now() - self._since)
            self._since = None
            self._logged_types.clear()
