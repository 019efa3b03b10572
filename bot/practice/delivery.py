"""Delivery of payloads to the app. An event that is not acked is delivered again, as Slack does."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from bot.practice.wire import Json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Slack's deadlines and delays, in seconds.

    `ack` is the deadline of an ack. `redeliver` holds the delays before each redelivery of an unacked event.
    `disconnect` is how long a socket stays open after its `disconnect` frame. `ticket` is how long the URL of
    apps.connections.open is valid.
    """

    ack: float = 3.0
    redeliver: tuple[float, ...] = (0.0, 60.0, 300.0)
    disconnect: float = 10.0
    ticket: float = 60.0


class NotAckedError(Exception):
    """A delivery without an ack. The text is Slack's retry reason; `final` is true if the app refuses retries."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Delivery:
    """A way to deliver payloads to the installed app: the base class of `SocketMode` and `HttpMode`."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.on_change: Callable[[], None] = lambda: None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> int:
        """Return how many connections to the app are usable now."""
        raise NotImplementedError

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        """Send a payload once and return the payload of its ack.

        Raises:
            NotAckedError: The app cannot be reached, refuses, or takes longer than `Timing.ack`.
        """
        raise NotImplementedError

    def deliver(self, callback: Json) -> None:
        """Deliver an event_callback in the background, with the retries of `Timing.redeliver` until the app acks."""
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
        """Cancel the deliveries in progress."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
