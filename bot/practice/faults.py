"""Trouble on request: what a test may have the stand-in do to the app that is connected to it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass
class InjectedFault:
    """What happens to one call: a status with headers, or a cut connection, or a call or its answer held back."""

    status: int = 200
    retry_after: int = 0
    drop: bool = False
    hold: asyncio.Event | None = None
    hold_call: asyncio.Event | None = None


@dataclass
class InjectedFaults:
    """Faults wait here by method (`chat.postMessage`) and are used up by calls in turn."""

    duplicates: int = 0
    new_event_ids: bool = False
    _waiting: dict[str, deque[InjectedFault]] = field(default_factory=dict)

    def rate_limit(self, method: str, *, calls: int = 1, retry_after: int = 1) -> None:
        """Answer the next calls with 429 `ratelimited` and `Retry-After` in seconds."""
        self._add(method, InjectedFault(status=429, retry_after=retry_after), calls)

    def fail(self, method: str, status: int = 500, *, calls: int = 1) -> None:
        """Answer the next calls with 500 or 503 and do nothing."""
        self._add(method, InjectedFault(status=status), calls)

    def drop(self, method: str, *, calls: int = 1, after: bool = False) -> None:
        """Cut the connection without an answer; `after` the call was in fact carried out, else before."""
        self._add(method, InjectedFault(status=200 if after else 0, drop=True), calls)

    def hold(self, method: str, *, before: bool = False) -> asyncio.Event:
        """Hold the answer to the next call until the returned event is set; `before`: hold the call itself."""
        gate = asyncio.Event()
        self._add(method, InjectedFault(hold_call=gate) if before else InjectedFault(hold=gate), 1)
        return gate

    def waiting(self, method: str) -> int:
        """How many faults no call has met yet."""
        return len(self._waiting.get(method, ()))

    def duplicate_events(self, copies: int, *, new_event_ids: bool = False) -> None:
        """Deliver every event so many times more, as retries of the same event or under other event ids; 0 ends it."""
        self.duplicates, self.new_event_ids = copies, new_event_ids

    def take(self, method: str) -> InjectedFault:
        """Return the fault for a call that has come in: harmless if none was asked for."""
        waiting = self._waiting.get(method)
        return waiting.popleft() if waiting else InjectedFault()

    def _add(self, method: str, fault: InjectedFault, calls: int) -> None:
        self._waiting.setdefault(method, deque()).extend([fault] * calls)
