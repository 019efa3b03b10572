"""What fails again and again while something is away: how long to rest, and how often it is said."""

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LONGEST_REST = 10.0
"""Seconds that nobody tries again: so late, at most, it is noticed that all is well again."""
REMINDER = 60.0
"""Seconds after which a trouble that lasts is told again, in one line."""


class Backoff:
    """Failures in a row of one thing, of any number of workers.

    Args:
        what: the thing, for the log.
        shortest: seconds to rest after the first failure.
        now: seconds of a clock that never goes back.
    """

    def __init__(self, what: str, shortest: float, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._shortest = shortest
        self._now = now
        self._since: float | None = None
        self._told_at = 0.0
        self._kinds: set[type[Exception]] = set()

    def failed(self, error: Exception) -> float:
        """How many seconds to rest: as long as it has lasted. The first failure of a kind is logged whole."""
        now = self._now()
        if self._since is None:
            self._since = now
        if type(error) not in self._kinds:
            log.error("%s failed; it is tried again", self._what, exc_info=error)
            self._kinds.add(type(error))
            self._told_at = now
        elif now - self._told_at >= REMINDER:
            log.warning("%s still fails, for %.0f s now: %s", self._what, now - self._since, type(error).__name__)
            self._told_at = now
        return min(max(self._shortest, now - self._since), LONGEST_REST)

    def worked(self) -> None:
        """Note that it works; after a failure that is logged."""
        if self._since is not None:
            log.warning("%s works again, after %.0f s", self._what, self._now() - self._since)
            self._since = None
            self._kinds.clear()
