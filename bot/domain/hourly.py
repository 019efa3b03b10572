"""A person's recent questions, for the limit of questions per hour (docs/decisions/0032)."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

from pydantic import Field

from bot.domain.thing import Thing

TOO_MANY = "too_many"
"""Why an arrival is ignored: its person has asked too many questions within the hour."""
MINUTES = 60
KEPT_MINUTES = 48 * 60
"""How long a question is counted. An older message, found later, counts as one of that age."""
REMEMBERED_FOR = timedelta(days=3)
"""Time after which nothing of a person has to be kept."""


class LimitRefusal(Thing):
    """A question beyond the limit.

    Attributes:
        most: The limit per hour.
        free_at: When the person may ask again.
        tell: Whether the person is to be told; once an hour is enough.
    """

    most: int
    free_at: datetime
    tell: bool


class Hourly(Thing):
    """The questions of one person by the minute, each once however often its event is looked at.

    Attributes:
        events: A short hash of each event's id → the minute since 1970 in which the person asked.
        told: The minute of the last refusal that the person was told of, by the messages' own time.
        told_for: The hash of that event's id.
    """

    events: dict[str, int] = Field(default_factory=dict)
    told: int | None = None
    told_for: str = ""

    def asked(self, event_id: str, at: datetime, most: int) -> tuple["Hourly", LimitRefusal | None]:
        """Count an event, or refuse it if that would make more than `most` within any 60 minutes.

        Args:
            event_id: The id of the event. One that was counted before is never refused.
            at: When the person asked.
            most: The limit.
        """
        key, minute = _key(event_id), self._counted_minute(at)
        if key in self.events:
            return self, None
        if self.is_full(minute, most):
            return self._refuse(key, minute, most)
        events = {**self.events, key: minute}
        newest = max(events.values())
        kept = {one: then for one, then in events.items() if then >= newest - KEPT_MINUTES}
        return self.model_copy(update={"events": kept}), None

    def refusal(self, at: datetime, most: int) -> LimitRefusal | None:
        """Return the refusal that an event would meet at this time; nothing is counted."""
        minute = self._counted_minute(at)
        full = self.is_full(minute, most)
        return LimitRefusal(most=most, free_at=self._free_at(minute, most), tell=True) if full else None

    def is_full(self, minute: int, most: int) -> bool:
        """Return whether one more question in this minute would be too many.

        Two questions less than an hour apart are at most 60 minutes of the clock apart.
        """
        near = Counter(then for then in self.events.values() if abs(then - minute) <= MINUTES)
        begins = [minute - MINUTES, minute, *(then for then in near if then <= minute)]
        return any(sum(n for then, n in near.items() if begin <= then <= begin + MINUTES) >= most for begin in begins)

    def _counted_minute(self, at: datetime) -> int:
        oldest = max(self.events.values(), default=0) - KEPT_MINUTES
        return max(int(at.timestamp()) // 60, oldest)

    def _refuse(self, key: str, minute: int, most: int) -> tuple["Hourly", LimitRefusal]:
        tell = self.told is None or self.told_for == key or abs(minute - self.told) > MINUTES
        after = self.model_copy(update={"told": minute, "told_for": key}) if tell else self
        return after, LimitRefusal(most=most, free_at=self._free_at(minute, most), tell=tell)

    def _free_at(self, minute: int, most: int) -> datetime:
        last = max(self.events.values(), default=minute)
        free = next(then for then in range(minute + 1, max(last, minute) + MINUTES + 2) if not self.is_full(then, most))
        return datetime.fromtimestamp(free * 60, UTC)


def _key(event_id: str) -> str:
    return hashlib.sha256(event_id.encode()).hexdigest()[:12]
