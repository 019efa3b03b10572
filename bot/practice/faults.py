"""Fault injection: errors, dropped connections, delays and duplicates that a test can cause."""

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass
class InjectedFault:
    """The fault of one Web API call.

    A call with a `status` other than 200 is not carried out. `retry_after` is in seconds. `drop` cuts the connection.
    `hold_call` delays the call and `hold` its answer, each until the event is set.
    """

    status: int = 200
    retry_after: int = 0
    drop: bool = False
    hold: asyncio.Event | None = None
    hold_call: asyncio.Event | None = None


@dataclass
class InjectedFaults:
    """The queues of faults, one per method (`chat.postMessage`). Each call uses up the oldest fault of its queue."""

    duplicates: int = 0
    new_event_ids: bool = False
    _waiting: dict[str, deque[InjectedFault]] = field(default_factory=dict)

    def rate_limit(self, method: str, *, calls: int = 1, retry_after: int = 1) -> None:
        """Answer the next `calls` calls with 429 `ratelimited` and a `Retry-After` header of `retry_after` seconds."""
        self._add(method, InjectedFault(status=429, retry_after=retry_after), calls)

    def fail(self, method: str, status: int = 500, *, calls: int = 1) -> None:
        """Answer the next `calls` calls with status 500 or 503, without carrying them out."""
        self._add(method, InjectedFault(status=status), calls)

    def drop(self, method: str, *, calls: int = 1, after: bool = False) -> None:
        """Cut the connection of the next `calls` calls; with `after`, only once the call has been carried out."""
        self._add(method, InjectedFault(status=200 if after else 0, drop=True), calls)

    def hold(self, method: str, *, before: bool = False) -> asyncio.Event:
        """Hold the answer to the next call until the returned event is set; with `before`, hold the call itself."""
        gate = asyncio.Event()
        self._add(method, InjectedFault(hold_call=gate) if before else InjectedFault(hold=gate), 1)
        return gate

    def waiting(self, method: str) -> int:
        """Return how many faults are still queued for a method."""
        return len(self._waiting.get(method, ()))

    def duplicate_events(self, copies: int, *, new_event_ids: bool = False) -> None:
        """Deliver every event `copies` more times; 0 ends the duplication.

        Args:
            copies: The number of extra deliveries.
            new_event_ids: Give each copy an event id of its own; otherwise the copies share the event's id.
        """
        self.duplicates, self.new_event_ids = copies, new_event_ids

    def take(self, method: str) -> InjectedFault:
        """Return the next fault for an incoming call; without a queued fault, one that changes nothing."""
        waiting = self._waiting.get(method)
        return waiting.popleft() if waiting else InjectedFault()

    def _add(self, method: str, fault: InjectedFault, calls: int) -> None:
        self._waiting.setdefault(method, deque()).extend([fault] * calls)
