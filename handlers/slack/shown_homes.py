"""The App Homes that this replica has published lately, so that they can be brought up to date."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

WATCHED_SECONDS = 600.0
"""Time after which a home that nobody opened or pressed again is no longer brought up to date, in seconds."""
MOST_LINKS = 1_000


@dataclass
class ShownHome:
    """One person's home: what was published last, and when the person last opened it or pressed on it."""

    opened_at: float
    published: str = ""
    notice: str = ""
    """The result of the last press, without words of a question; it stands until the next press."""
    first: str | None = None
    """Key of the queue's entry that the last press brought back, which is shown first."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the home is made and published, so that an older state never replaces a newer one."""


class ShownHomes:
    """Homes by person.

    Args:
        now: Seconds of a monotonic clock.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._homes: dict[str, ShownHome] = {}
        self.links: OrderedDict[tuple[str, str], str] = OrderedDict()
        """Permalinks of messages that homes show, by channel and ts."""

    def open(self, user: str) -> ShownHome:
        """Note that the person looks at the home now, and return it."""
        home = self._homes.setdefault(user, ShownHome(self._now()))
        home.opened_at = self._now()
        return home

    def of(self, user: str) -> ShownHome | None:
        """Return the home if the person looked at it lately."""
        return self._homes.get(user) if user in self.watched() else None

    def watched(self) -> list[str]:
        """Return whose homes were looked at lately, and forget the others."""
        left = self._now() - WATCHED_SECONDS
        self._homes = {user: home for user, home in self._homes.items() if home.opened_at > left}
        return list(self._homes)

    def keep_link(self, channel: str, ts: str, link: str) -> None:
        self.links[channel, ts] = link
        if len(self.links) > MOST_LINKS:
            self.links.popitem(last=False)
