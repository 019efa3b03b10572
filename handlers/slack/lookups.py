"""Look-ups at Slack with a cache and one request for callers that ask at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

LOOKUP_CACHE_SECONDS = 600.0
LOOKUP_CACHE_SIZE = 10_000

Found = TypeVar("Found")


class Lookups(Generic[Found]):
    """A cache over a look-up by id. Failed look-ups are not cached.

    Args:
        look_up: Asks Slack.
        now: Seconds of a monotonic clock.
        seconds: How long an answer is good for.
    """

    def __init__(
        self,
        look_up: Callable[[str], Awaitable[Found]],
        now: Callable[[], float],
        seconds: float = LOOKUP_CACHE_SECONDS,
    ) -> None:
        self._look_up = look_up
        self._now = now
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[float, Found]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Found]] = {}

    async def get(self, key: str) -> Found:
        """Return what is known about this id. Raises what the look-up raises."""
        cached = self._known.get(key)
        if cached and self._now() - cached[0] < self._seconds:
            return cached[1]
        # Concurrent callers share one request, because Slack limits requests a minute.
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(self._fill(key))
            running.add_done_callback(self._ended(key))
        return await asyncio.shield(running)

    def forget(self) -> None:
        """Empty the cache."""
        self._known.clear()

    def forget_one(self, key: str) -> Found | None:
        """Take an id out of the cache, and return what was known about it."""
        return self._known.pop(key, (0.0, None))[1]

    def _ended(self, key: str) -> Callable[[asyncio.Task[Found]], None]:
        def ended(running: asyncio.Task[Found]) -> None:
            del self._running[key]
            if not running.cancelled():
                running.exception()  # Retrieved here too, because all callers may have been cancelled meanwhile.

        return ended

    async def _fill(self, key: str) -> Found:
        found = await self._look_up(key)
        self._known[key] = (self._now(), found)
        self._known.move_to_end(key)
        if len(self._known) > LOOKUP_CACHE_SIZE:
            self._known.popitem(last=False)
        return found
