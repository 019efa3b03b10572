"""How many rows count as examples, and how many of them a release has learned, from a few columns of a few rows."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from bot.domain.dataset import Split, most_first, normalised


class Counted(NamedTuple):
    """The class of rows that a row counts in."""

    learned: bool
    """Whether the serving release was trained on the row in its present form."""
    public: bool


class Kind(NamedTuple):
    """The common facts of rows that are counted together."""

    category: str
    split: Split
    settler: str | None
    """The person who settled them; None for imported rows."""
    counted: Counted


class BriefRow(NamedTuple):
    """The columns that decide whether and how a row counts. They are read much faster than a `Row`."""

    id: str
    text: str
    group: str
    category: str
    settled_at: datetime
    counted: Counted


def settlers_of(kinds: Mapping[Kind, int]) -> dict[str, dict[str, int]]:
    """Return what `settled_by` would find."""
    found: dict[str, Counter[str]] = {}
    for kind, n in kinds.items():
        if kind.settler is not None:
            found.setdefault(kind.settler, Counter())[kind.category] += n
    return most_first(found)


def count_usable(
    kinds: Mapping[Kind, int], read: Sequence[BriefRow], alone: Counter[Counted], contested: Container[str]
) -> Counter[Counted]:
    """Count the training rows that `usable_rows` would return.

    Texts that are equal once normalised share a group. A row alone in its group therefore repeats no other row, and is
    counted by the database. Only the others are read.

    Args:
        kinds: The number of all rows.
        read: The training rows of all groups that have more than one.
        alone: The number of the other training rows in conflict.
        contested: The groups in conflict.
    """
    counts: Counter[Counted] = Counter()
    for kind, n in kinds.items():
        if kind.split is Split.TRAIN:
            counts[kind.counted] += n
    counts.subtract(alone)
    counts.subtract(row.counted for row in read)
    counts.update(row.counted for row in _newest(row for row in read if row.group not in contested))
    return counts


def _newest(rows: Iterable[BriefRow]) -> Iterable[BriefRow]:
    newest: dict[tuple[str, str], BriefRow] = {}
    for row in rows:
        key = normalised(row.text), row.category
        newest[key] = max(row, newest.get(key, row), key=lambda one: (one.settled_at, one.id))
    return newest.values()
