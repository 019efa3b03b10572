"""How many rows count as examples, and how many of them a release has learned, from a few columns of a few rows."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from bot.domain.dataset import normalised


class Counted(NamedTuple):
    """What a row counts as."""

    learned: bool
    """Whether the serving release was trained on it in its present form."""
    public: bool


class BriefRow(NamedTuple):
    """What decides whether a row counts, and as what. It is much faster to read than a `Row`."""

    id: str
    text: str
    group: str
    category: str
    settled_at: datetime
    counted: Counted


def count_usable(
    alone: Mapping[Counted, int], several: Iterable[BriefRow], contested: Iterable[BriefRow]
) -> Counter[Counted]:
    """Count the rows that `usable_rows` would return.

    Texts that are equal once normalised share a group, so a row alone in its group repeats no other one: such rows are
    counted where they are stored. Only the others are read.

    Args:
        alone: the number of rows that are alone in their group.
        several: the rows of all groups that have more than one.
        contested: the rows of the groups in conflict.
    """
    counts = Counter(alone)
    left_out: dict[str, list[BriefRow]] = {}
    for row in contested:
        left_out.setdefault(row.group, []).append(row)
    counts.subtract(own[0].counted for own in left_out.values() if len(own) == 1)
    counts.update(row.counted for row in _newest(several, left_out))
    return counts


def _newest(rows: Iterable[BriefRow], left_out: Container[str]) -> Iterable[BriefRow]:
    newest: dict[tuple[str, str], BriefRow] = {}
    for row in rows:
        if row.group not in left_out:
            key = normalised(row.text), row.category
            newest[key] = max(row, newest.get(key, row), key=lambda one: (one.settled_at, one.id))
    return newest.values()
