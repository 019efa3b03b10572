"""The rows that an index follows, in little memory."""

from array import array
from dataclasses import dataclass

from bot.domain.dataset import Row
from bot.similarity.packed import Packed
from bot.similarity.pieces import Pieces


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """The part of a row that the index keeps."""

    row_id: str
    text: str
    slot: int
    group: str
    category: str
    counts: bool
    """False for a withdrawn row."""


class IndexedRows:
    """Rows by id and by the slot of their text. Each kept row has a number, from 0, by which its parts are found."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._texts = Packed()
        self._pieces = Pieces()
        self._text_numbers = array("I")
        self._slots = array("I")
        self._groups: list[str] = []
        self._categories: list[str] = []
        self._counts = bytearray()
        self._by_slot: dict[int, int | tuple[int, ...]] = {}
        """Slot → the rows there, the one that changed last at the end."""
        self._same: dict[str, str] = {}

    def put(self, row: Row, slot: int, *, counts: bool) -> tuple[IndexedRow | None, IndexedRow]:
        """Add or replace a row; return what was known of it before, and what is known now."""
        number = self._numbers.get(row.id)
        after = IndexedRow(row.id, row.text, slot, row.group, row.category, counts)
        if number is None:
            self._add(after)
            return None, after
        before = self._row(number)
        if before != after:
            self._replace(number, before, after)
        return before, after

    def _add(self, row: IndexedRow) -> None:
        number = self._numbers[row.row_id] = len(self._ids)
        self._ids.append(row.row_id)
        self._text_numbers.append(len(self._texts))
        self._texts.append(row.text)
        self._slots.append(row.slot)
        self._groups.append(row.group)
        self._categories.append(self._same.setdefault(row.category, row.category))
        self._counts.append(row.counts)
        self._join(row.slot, number)

    def _replace(self, number: int, before: IndexedRow, after: IndexedRow) -> None:
        if before.text != after.text:
            self._text_numbers[number] = len(self._texts)
            self._texts.append(after.text)
        self._slots[number] = after.slot
        self._groups[number] = after.group
        self._categories[number] = self._same.setdefault(after.category, after.category)
        self._counts[number] = after.counts
        left = tuple(other for other in self._at(before.slot) if other != number)
        if left:
            self._by_slot[before.slot] = left
        else:
            del self._by_slot[before.slot]
        self._join(after.slot, number)

    def _join(self, slot: int, number: int) -> None:
        others = self._at(slot)
        self._by_slot[slot] = (*others, number) if others else number

    def sharing(self, reason: str) -> list[str]:
        """Return the texts, of withdrawn rows too, that may share a run of `REPEATED_RUN` characters with a reason.

        The rows must not change meanwhile.
        """
        self._pieces.follow(self._texts)
        return [self._texts[number] for number in self._pieces.sharing(reason)]

    def of_slot(self, slot: int) -> list[IndexedRow]:
        """Return the rows with this text, the one that changed last at the end."""
        return [self._row(number) for number in self._at(slot)]

    def _at(self, slot: int) -> tuple[int, ...]:
        found = self._by_slot.get(slot, ())
        return found if isinstance(found, tuple) else (found,)

    def _row(self, number: int) -> IndexedRow:
        return IndexedRow(
            self._ids[number],
            self._texts[self._text_numbers[number]],
            self._slots[number],
            self._groups[number],
            self._categories[number],
            bool(self._counts[number]),
        )
