"""People's shares of the training set, and the rows set aside until an admin has looked (docs/decisions/0033)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from statistics import median
from typing import NamedTuple

from pydantic import Field

from bot.domain.dataset import Row, Source
from bot.domain.thing import Thing

FEWEST_SETTLERS = 3
"""Fewest people among whom rows are set aside: of one or two people, somebody always settles most of the rows."""
FEWEST_ROWS = 20
"""Number of rows below which a share says nothing."""
MOST_PERCENT = 40
"""Share of the training set, in percent, that one person may have settled."""
BURST_TIMES = 3
"""A day is a burst if it has more than this many times the rows of the person's median day."""
FEWEST_BURST = 50
"""Fewest rows of a burst."""


class WhyAside(StrEnum):
    """The reason why a row is set aside."""

    SHARE = "share"
    BURST = "burst"


class Look(Thing):
    """An admin's decision about one row that was set aside. A row that is settled again is looked at anew."""

    row_id: str
    settled_at: datetime
    keep: bool
    by: str
    at: datetime


class SetAside(Thing):
    """The rows that are neither trained on nor evidence.

    Attributes:
        waiting: Row id → why, until an admin looks.
        left_out: Rows that an admin left out.
        people: Person → number of waiting rows by reason.
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


class Settlement(NamedTuple):
    """A row that a person settled."""

    id: str
    settled_at: datetime
    decided: bool
    """Whether an admin has looked at it in this form."""


def set_aside(rows: Sequence[Row], looks: Mapping[str, Look]) -> SetAside:
    """Return which rows are set aside: a person's newest rows above `MOST_PERCENT` of all, and those of a burst.

    Imported rows count in the whole, and are never set aside. Rows that an admin kept stay; rows that
    an admin left out count nowhere.
    """
    decided = {row.id: look.keep for row in rows if (look := looks.get(row.id)) and look.settled_at == row.settled_at}
    left_out = frozenset(row_id for row_id, keep in decided.items() if not keep)
    own: dict[str, list[Settlement]] = defaultdict(list)
    for row in rows:
        if row.source is not Source.IMPORT and row.id not in left_out:
            own[row.by].append(Settlement(row.id, row.settled_at, row.id in decided))
    days = {person: Counter(one.settled_at.date() for one in settled) for person, settled in own.items()}
    return aside_of(len(rows), days, {person: own[person] for person in suspects(len(rows), days)}, left_out)


def suspects(total: int, days: Mapping[str, Mapping[date, int]]) -> list[str]:
    """Return the people some of whose rows are set aside unless an admin has decided. Only their rows have to be read.

    Args:
        total: The number of all rows.
        days: Person → day → rows that this person settled and that no admin left out.
    """
    if len(days) < FEWEST_SETTLERS or total < FEWEST_ROWS:
        return []
    return sorted(
        person for person, counts in days.items() if sum(counts.values()) > _most(total) or burst_days(counts)
    )


def aside_of(
    total: int,
    days: Mapping[str, Mapping[date, int]],
    own: Mapping[str, Iterable[Settlement]],
    left_out: frozenset[str],
) -> SetAside:
    """Return what is set aside, given the rows of the `suspects` that no admin left out."""
    waiting: dict[str, WhyAside] = {}
    people: dict[str, Counter[WhyAside]] = {}
    for person in sorted(own):
        sudden_days = burst_days(days[person])
        settled = sorted(own[person], key=lambda one: (one.settled_at, one.id))
        sudden = {one.id: WhyAside.BURST for one in settled if not one.decided and one.settled_at.date() in sudden_days}
        rest = [one for one in settled if one.id not in sudden]
        over = {one.id: WhyAside.SHARE for one in rest[_most(total) :] if not one.decided}
        if sudden or over:
            waiting |= sudden | over
            people[person] = Counter((*sudden.values(), *over.values()))
    return SetAside(waiting=waiting, left_out=left_out, people=people)


def _most(total: int) -> int:
    # `total` counts all rows: those that an admin left out must not make further rows too many.
    return total * MOST_PERCENT // 100


def bursts(rows: Iterable[Row]) -> set[date]:
    """Return the days (UTC) on which a person settled far more than on the median of their days."""
    return burst_days(Counter(row.settled_at.date() for row in rows))


def burst_days(days: Mapping[date, int]) -> set[date]:
    """Return the days with far more rows than the median day."""
    usual = median(days.values()) if days else 0
    return {day for day, n in days.items() if n >= FEWEST_BURST and n > BURST_TIMES * usual}
