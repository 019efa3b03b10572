"""The Monday summary: what was asked and learned in the week before. It holds no text of a question."""

from datetime import datetime, time, timedelta, timezone

from bot.domain.next_step import NextStep
from bot.domain.thing import Thing

DIGEST_TOPIC = "digest"
"""Outbox topic: a Monday summary to post. The payload holds it, and the key is its Monday."""
WEEK = timedelta(weeks=1)
SENT_AT = time(9)
"""Local time on Monday from which the summary is sent."""


class AskedWeek(Thing):
    """The number of questions of one week."""

    public: dict[str, int]
    """Category id → questions of public channels."""
    private: int
    """All other questions, which are counted and never shown, not even by category."""

    @property
    def total(self) -> int:
        return sum(self.public.values()) + self.private


class Waiting(Thing):
    """A question of a public channel that nobody has taken up. `category` is the id of what was answered."""

    channel: str
    ts: str
    asked_at: datetime
    category: str


class Judgement(Thing):
    """The answers of a week that staff judged: how many, and how many were right."""

    judged: int
    right: int


class Digest(Thing):
    """The summary of the week that ended at `until`, the beginning of a Monday."""

    until: datetime
    asked: AskedWeek
    asked_before: AskedWeek
    judgement: Judgement
    judgement_before: Judgement
    waiting: Waiting | None
    """The question that has waited longest."""
    confused: tuple[str, str, int] | None
    """The two categories that were taken for one another most often, and how often."""
    gained: int
    """Number of new examples from answers that staff confirmed."""
    next: NextStep


def monday(now: datetime, utc_offset: timedelta) -> datetime:
    """Return the beginning of this week's Monday in a time zone, given as its present distance from UTC."""
    local = now.astimezone(timezone(utc_offset))
    day = local.date() - timedelta(days=local.weekday())
    return datetime.combine(day, time(), local.tzinfo)


def is_due(now: datetime, utc_offset: timedelta) -> bool:
    """Return whether it is Monday, 9:00 or later, in this time zone."""
    local = now.astimezone(timezone(utc_offset))
    return local.weekday() == 0 and local.time() >= SENT_AT
