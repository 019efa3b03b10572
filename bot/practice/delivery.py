"""What the app is sent, by whichever way: one try at a time, and events again until the app has acked them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bot.practice.wire import Json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Slack's periods, in seconds.

    `ack`: how long an ack may take. `redeliver`: the delays before an unacked event comes again. `disconnect`: how long
    a socket lives after it was asked to go. `ticket`: how long the URL of apps.connections.open is good.
    """

    ack: float = 3.0
    redeliver: tuple[float, ...] = (0.0, 60.0, 300.0)
    disconnect: float = 10.0
    ticket: float = 60.0


class NotAckedError(Exception):
    """The app did not ack; the text is Slack's retry reason. `final`: the app wants no retry."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Delivery:
    """A way to the one installed app."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.on_change: Callable[[], None] = lambda: None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> int:
        """Return in how many places the app can be reached now."""
        raise NotImplementedError

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        """Send something once and return the payload of its ack.

        Raises:
            NotAckedError: the app cannot be reached, refuses, or `Timing.ack` went by.
        """
        raise NotImplementedError

    def deliver(self, callback: Json) -> None:
        """Deliver one event_callback in the background, again and again until acked, as often as Slack would."""
        self._background(self._deliver(callback))

    async def _deliver(self, callback: Json) -> None:
        reason = ""
        for attempt, delay in enumerate((0.0, *self.timing.redeliver)):
            if delay:
                await asyncio.sleep(delay)
            extra: dict[str, str | int | bool] = {"retry_attempt": attempt, "retry_reason": reason}
            try:
                await self.ask("events_api", callback, accepts_response_payload=False, **extra)
            except NotAckedError as failure:
                reason = str(failure)
                if failure.final:
                    break
            else:
                return
        log.warning("event %s was never acked (%s)", callback["event_id"], reason)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Give up all deliveries under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
