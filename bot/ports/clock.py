"""The time, and the counts, timings and traces of what the app does."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol

from bot.domain.question import Ending


class Clock(Protocol):
    """The source of the current time."""

    def now(self) -> datetime:
        """Return the current time, timezone-aware, in UTC."""


class Meter(Protocol):
    """Metrics and traces, with ids and names only, never text that a person or a model wrote."""

    def span(self, name: str, **ids: str) -> AbstractContextManager[None]:
        """Trace the block as a child of the span that surrounds it."""

    def ended(self, ending: Ending, seconds: float) -> None:
        """Record that an arrival ended, this many seconds after it was received."""

    def limited(self) -> None:
        """Record that a question was not taken up, because its asker had asked too many within the hour."""

    def acked(self, seconds: float) -> None:
        """Record that Slack got its ack, this many seconds after the delivery came in."""


class Unmetered:
    """A `Meter` that records nothing, for one-off commands."""

    def span(self, name: str, **ids: str) -> AbstractContextManager[None]:  # noqa: ARG002 - the port's
        return nullcontext()

    def ended(self, ending: Ending, seconds: float) -> None: ...

    def limited(self) -> None: ...

    def acked(self, seconds: float) -> None: ...
