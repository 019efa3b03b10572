"""The rows that an index follows, in little memory."""

from array import array
from dataclasses import dataclass

from bot.domain.dataset import Row
from bot.similarity.packed import Bytes, NumberedTexts, Packed, Parts, Postings, joined_parts, member_parts
from bot.similarity.pieces import Pieces

_ARRAYS = ("_text_numbers", "_slots", "_group_numbers", "_category_numbers")
_MEMBERS = ("_ids", "_texts", "_pieces", "_groups", "_categories", "_by_slot", "_by_group")
"""Attributes from which the rows are read again, beside `_counts`."""


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


class RecentRows:
    """The rows of this read of the overlap and of the last one: most are read again, unchanged."""

    def __init__(self) -> None:
        self._new: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def begin(self) -> None:
        """Begin a read of the overlap, and drop the rows that the last one did not bring."""
        self._new, self._old = {}, self._new

    def is_known(self, row: Row, *, counts: bool) -> bool:
        """Return whether a row was indexed as it is."""
        fields = _fields(row, counts=counts)
        known = self._new.get(row.id, self._old.get(row.id)) == fields
        if known:
            self._new[row.id] = fields
        return known

    def add(self, row: Row, *, counts: bool) -> None:
        """Note a row that is indexed now."""
        self._new[row.id] = _fields(row, counts=counts)


def _fields(row: Row, *, counts: bool) -> int:
    return hash((row.text, row.group, row.category, row.public, counts))


class IndexedRows:
    """Rows by id, by group and by the slot of their text.

    Each kept row has a number, from 0, by which its fields are found.
    """

    def __init__(self) -> None:
        self.recent = RecentRows()
        self._ids = NumberedTexts()
        self._texts = Packed()
        self._pieces = Pieces()
        self._text_numbers = array("I")
        self._slots = array("I")
        self._groups = NumberedTexts()
        self._group_numbers = array("I")
        self._categories = NumberedTexts()
        self._category_numbers = array("I")
        self._counts = bytearray()
        self._by_slot = Postings()
        """Slot → the rows that are or were there, the one that changed last at the end."""
        self._by_group = Postings()
        """Number of a group → the rows that are or were in it."""

    def parts(self) -> dict[str, Bytes]:
        """Return all that is known of the rows."""
        self._pieces.follow(self._texts)
        arrays = {name: getattr(self, name).tobytes() for name in _ARRAYS} | {"counts": bytes(self._counts)}
        return arrays | joined_parts(**{name: getattr(self, name).parts() for name in _MEMBERS})

    def take(self, parts: Parts) -> None:
        """Take over what others knew of the rows."""
        self._counts = bytearray(parts["counts"])
        for name in _ARRAYS:
            setattr(self, name, array("I", parts[name]))
        for name in _MEMBERS:
            getattr(self, name).take(member_parts(name, parts))

    def put(self, row: Row, slot: int, *, counts: bool) -> tuple[IndexedRow | None, IndexedRow]:
        """Add or replace a row; return what was known of it before, and what is known now."""
        after = IndexedRow(row.id, row.text, slot, row.group, row.category, counts)
        number = self._ids.find(row.id)
        if number is None:
            self._add(after)
            return None, after
        before = self._row(number)
        if before != after:
            self._replace(number, before, after)
        return before, after

    def _add(self, row: IndexedRow) -> None:
        number = self._ids.number(row.row_id)
        self._text_numbers.append(len(self._texts))
        self._texts.append(row.text)
        self._slots.append(row.slot)
        self._group_numbers.append(self._groups.number(row.group))
        self._category_numbers.append(self._categories.number(row.category))
        self._counts.append(row.counts)
        self._by_slot.add(row.slot, number)
        self._by_group.add(self._group_numbers[number], number)

    def _replace(self, number: int, before: IndexedRow, after: IndexedRow) -> None:
        if before.text != after.text:
            self._text_numbers[number] = len(self._texts)
            self._texts.append(after.text)
        self._slots[number] = after.slot
        self._category_numbers[number] = self._categories.number(after.category)
        self._counts[number] = after.counts
        self._by_slot.add(after.slot, number)
        if before.group != after.group:
            self._group_numbers[number] = self._groups.number(after.group)
            self._by_group.add(self._group_numbers[number], number)

    def sharing(self, reason: str) -> list[str]:
        """Return the texts, of withdrawn rows too, that may share a run of `REPEATED_RUN` characters with a reason.

        The rows must not change meanwhile.
        """
        self._pieces.follow(self._texts)
        return [self._texts[number] for number in self._pieces.sharing(reason)]

    def of_slot(self, slot: int) -> list[IndexedRow]:
        """Return the rows with this text, the one that changed last at the end."""
        return [self._row(number) for number in self._at(slot)]

    def in_group(self, group: str) -> set[tuple[int, str]]:
        """Return the slots and categories of the rows of this group that count."""
        known = self._groups.find(group)
        if known is None:
            return set()
        return {
            (self._slots[number], self._category(number))
            for number in self._by_group.listed(known)
            if self._group_numbers[number] == known and self._counts[number]
        }

    def at_text(self, text: int) -> set[str]:
        """Return the groups of the rows at this slot that count."""
        return {self._groups[self._group_numbers[number]] for number in self._at(text) if self._counts[number]}

    def _at(self, slot: int) -> list[int]:
        """Return the numbers of the rows at a slot, the one that changed last at the end."""
        numbers = self._by_slot.listed(slot)
        if len(numbers) == 1:
            return numbers if self._slots[numbers[0]] == slot else []
        last_first = dict.fromkeys(reversed(numbers))
        return [number for number in reversed(last_first) if self._slots[number] == slot]

    def _category(self, number: int) -> str:
        return self._categories[self._category_numbers[number]]

    def _row(self, number: int) -> IndexedRow:
        return IndexedRow(
            self._ids[number],
            self._texts[self._text_numbers[number]],
            self._slots[number],
            self._groups[self._group_numbers[number]],
            self._category(number),
            bool(self._counts[number]),
        )
