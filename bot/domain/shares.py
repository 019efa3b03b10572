"""Who settled how much of the training set, and what is set aside until an admin has looked (docs/decisions/0033)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from statistics import median

from pydantic import Field

from bot.domain.dataset import Row, Source
from bot.domain.thing import Thing

FEWEST_SETTLERS = 3
"""Number of people from which nobody's share is set aside: one or two people settle most of the rows themselves."""
FEWEST_ROWS = 20
"""Number of rows below which a share says nothing."""
MOST_PERCENT = 40
"""Share of the training set, in percent, that one person may have settled."""
BURST_TIMES = 3
"""Times a person's median day from which a day is a burst."""
FEWEST_BURST = 50
"""Fewest rows of a burst."""


class WhyAside(StrEnum):
    """Why a row is set aside."""

    SHARE = "share"
    BURST = "burst"


class Look(Thing):
    """What an admin decided about one row that was set aside. A row that is settled again is looked at anew."""

    row_id: str
    settled_at: datetime
    keep: bool
    by: str
    at: datetime


class SetAside(Thing):
    """The rows that are neither trained on nor evidence.

    Attributes:
        waiting: row id → why, until an admin looks.
        left_out: rows that an admin left out.
        people: person → number of waiting rows by reason.
    """

    waiting: Mapping[str, WhyAside] = Field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    people: Mapping[str, Mapping[WhyAside, int]] = Field(default_factory=dict)

    @property
    def by_person(self) -> dict[str, int]:
        """Person → number of waiting rows."""
        return {person: sum(counts.values()) for person, counts in self.people.items()}

    @property
    def ids(self) -> frozenset[str]:
        return self.left_out | frozenset(self.waiting)


def set_aside(rows: Sequence[Row], looks: Mapping[str, Look]) -> SetAside:
    """Return which rows are set aside: a person's newest rows above `MOST_PERCENT` of all, and those of a burst.

    Imported rows count in the whole, and are never set aside. What an admin kept stays; what an admin left out counts
    nowhere.
    """
    decided = {row.id: look.keep for row in rows if (look := looks.get(row.id)) and look.settled_at == row.settled_at}
    left_out = frozenset(row_id for row_id, keep in decided.items() if not keep)
    counted = [row for row in rows if row.id not in left_out]
    by_person: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(counted, key=lambda one: (one.settled_at, one.id)):
        if row.source is not Source.IMPORT:
            by_person[row.by].append(row)
    waiting: dict[str, WhyAside] = {}
    people: dict[str, Counter[WhyAside]] = {}
    if len(by_person) >= FEWEST_SETTLERS and len(rows) >= FEWEST_ROWS:
        # Of all rows: what an admin left out must not make further rows too many.
        most = len(rows) * MOST_PERCENT // 100
        for person, own in sorted(by_person.items()):
            days = bursts(own)
            sudden = {row.id: WhyAside.BURST for row in own if row.id not in decided and row.settled_at.date() in days}
            rest = [row for row in own if row.id not in sudden]
            over = {row.id: WhyAside.SHARE for row in rest[most:] if row.id not in decided}
            if sudden or over:
                waiting |= sudden | over
                people[person] = Counter((*sudden.values(), *over.values()))
    return SetAside(waiting=waiting, left_out=left_out, people=people)


def bursts(rows: Iterable[Row]) -> set[date]:
    """Return the days (UTC) on which a person settled far more than on the median of their days."""
    days = Counter(row.settled_at.date() for row in rows)
    usual = median(days.values()) if days else 0
    return {day for day, n in days.items() if n >= FEWEST_BURST and n > BURST_TIMES * usual}
