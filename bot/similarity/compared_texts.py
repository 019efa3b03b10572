"""Texts that were compared with each other, and many of them by number, so that none has to be held."""

import asyncio
from array import array
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.domain.uncancelled import in_thread
from bot.similarity.index import Index, hash_of
from bot.similarity.meanings import Meanings
from bot.similarity.packed import Postings

TextMask = NDArray[np.bool_]
"""A boolean for each text or row, by position."""
RECENT = 1_000
"""Most texts whose slot is remembered."""
_NOBODY = np.iinfo(np.uint32).max


class ComparedTexts:
    """A growing set of texts, each of which was compared with all before it.

    Args:
        index: Holds the texts.
        meanings: Receives the texts that may be encoded.
        private: Whether texts that not everybody may read may be encoded too.
        earlier: Texts that were compared before. What is known of them is taken over, until `let_go`.
    """

    def __init__(
        self, index: Index, meanings: Meanings, *, private: bool, earlier: "ComparedTexts | None" = None
    ) -> None:
        self.index = index
        self._earlier = _EarlierComparisons(earlier) if earlier else None
        self._meanings = meanings
        self._private = private
        self.count = 0
        """The number of slots that were compared with all before them."""
        self.near_slots = Postings()
        """Slot → the slots of the other nearly same texts."""
        self._recent: dict[str, int] = {}
        """Text → slot: a text that is looked up for its group is soon looked up again, as a row's."""

    def slot(self, text: str, *, public: bool = False) -> int:
        """Return the slot of a text; a new text is compared with all others."""
        known = self._recent.get(text)
        slot = self.index.slot(text) if known is None else known
        if known is None:
            if len(self._recent) >= RECENT:
                self._recent.clear()
            self._recent[text] = slot
        new = slot >= self.count
        if (public or self._private) and (new or slot in self._meanings.hidden):
            self._meanings.add(slot, text)
        elif new:
            self._meanings.hidden.add(slot)
        if self.count < len(self.index) - 1:  # an error came between a text and its comparison
            self.let_go()
        while self.count < len(self.index):
            beside = self._earlier.beside(self.count, text) if self._earlier else None
            beside = self.index.beside(self.count) if beside is None else beside
            for other in sorted(other for other in beside if other < self.count):
                self.near_slots.add(self.count, other)
                self.near_slots.add(other, self.count)
            self.count += 1
        return slot

    @property
    def earlier(self) -> "ComparedTexts | None":
        """The earlier texts, as long as they are held."""
        return self._earlier.texts if self._earlier else None

    def let_go(self) -> None:
        """Hold the earlier texts no longer."""
        self._earlier = None

    def entries(self) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return all near slots, as `Postings.entries` does.

        Raises:
            RuntimeError: Not every text was compared, so nothing can be proved.
        """
        if self.count != len(self.index):
            raise RuntimeError(f"{self.count} of {len(self.index)} texts were compared")
        return self.near_slots.entries()

    def beside(self, slot: int) -> Collection[int]:
        """Return the slots of the other texts that are nearly the same."""
        return self.near_slots.listed(slot)

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        """Return every (i, j) where `these[i]` and `those[j]` are near-duplicates."""
        # Compared texts stay compared: an index that grows meanwhile only adds slots that nobody asks for here.
        compared = self.count
        found = [[self.index.find(text) for text in texts] for texts in (these, those)]
        known = [[slot for slot in slots if slot is not None and slot < compared] for slots in found]
        if [len(slots) for slots in known] == [len(these), len(those)]:
            return self._known_pairs(*known)
        return _compared_pairs(these, those)

    def _known_pairs(self, these: Sequence[int], those: Sequence[int]) -> list[tuple[int, int]]:
        """Return the pairs of texts that were all compared when they were added to the index."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for j, slot in enumerate(those):
            places[slot].append(j)
        return sorted(
            (i, j) for i, slot in enumerate(these) for one in (slot, *self.beside(slot)) for j in places.get(one, ())
        )


class _EarlierComparisons:
    """What is known of texts that come again: whether two are near depends on nothing but these two.

    Args:
        texts: The earlier texts. They do not change any more.
    """

    def __init__(self, texts: ComparedTexts) -> None:
        self.texts = texts
        self._slots: dict[int, int] = {}
        """Slot of an earlier text → its slot now."""
        self._others, self._other_slots = Index(), list[int]()
        """The texts that are no earlier ones, and their slots."""

    def beside(self, slot: int, text: str) -> set[int] | None:
        """Return which texts that were given before are near; None if the text is no earlier one.

        Args:
            slot: The slot of the text now. Each slot is given once.
            text: The text.
        """
        known = self.texts.index.find(text)
        if known is None or known >= self.texts.count:
            self._others.slot(text)
            self._other_slots.append(slot)
            return None
        self._slots[known] = slot
        found = {self._slots[other] for other in self.texts.beside(known) if other in self._slots}
        return found | {self._other_slots[other] for other, _ in self._others.near(text)}


class TextNumbers:
    """Many texts, each as its slot, which takes four bytes. The texts themselves are not held.

    Args:
        texts: The texts that are known; a new one is added and compared.
        lock: Is held whenever these are used.
    """

    def __init__(self, texts: ComparedTexts, lock: asyncio.Lock) -> None:
        self._texts, self._lock = texts, lock
        self._slots = array("I")
        self._by_hash: tuple[NDArray[np.uint64], NDArray[np.uint32]] | None = None
        self.odd: dict[int, str] = {}
        """Position → text, for the few texts that differ in words from an earlier text with the same letters."""

    def anew(self) -> "TextNumbers":
        """Return an empty list of texts that can be compared with those of this one."""
        return TextNumbers(self._texts, self._lock)

    @property
    def slots(self) -> NDArray[np.uint32]:
        """The number of each text: the same for texts that are equal once normalised."""
        return np.array(self._slots, np.uint32)

    async def add(self, texts: Sequence[str]) -> None:
        """Add texts."""
        async with self._lock:
            await in_thread(self._add, texts)

    def _add(self, texts: Sequence[str]) -> None:
        for text, known in zip(texts, self._known(texts), strict=True):
            slot = known
            if known == _NOBODY:
                slot = self._texts.slot(text)
                if not self._texts.index.says(slot, text):
                    self.odd[len(self._slots)] = text
            self._slots.append(slot)

    def _known(self, texts: Sequence[str]) -> list[int]:
        """Return the slot of each text that was added letter by letter the same; `_NOBODY` for any other text.

        Most texts of rows are, and for these nothing has to be normalised.
        """
        if self._by_hash is None:
            self._by_hash = self._texts.index.by_hash()
        hashes, slots = self._by_hash
        wanted = np.fromiter(map(hash_of, texts), np.uint64, len(texts))
        if not len(hashes):
            return [_NOBODY] * len(texts)
        at = np.minimum(hashes.searchsorted(wanted), len(hashes) - 1)
        found = np.where((hashes[at] == wanted) & (slots[at] < self._texts.count), slots[at], _NOBODY)
        return [*map(int, found)]

    async def near(self, these: TextMask, others: "TextNumbers", those: TextMask) -> TextMask:
        """Return which of these texts are nearly the same as one of those, which are among the others."""
        async with self._lock:
            return await in_thread(self._near, these, others, those)

    def _near(self, these: TextMask, others: "TextNumbers", those: TextMask) -> TextMask:
        slots, theirs, odd = self.slots, others.slots, {i: text for i, text in others.odd.items() if those[i]}
        known = those.copy()
        known[[*odd]] = False
        at, wanted = np.zeros((2, len(self._texts.index)), np.bool_)
        at[theirs[known]] = True
        wanted[theirs[those]] = True
        keys, starts, found = self._texts.entries()
        beside = wanted.copy()
        beside[found[np.repeat(at[keys], np.diff(starts))]] = True
        for text in odd.values():
            beside[self._beside(text)] = True
        near = these & beside[slots]
        for i, text in self.odd.items():
            alike = wanted[slots[i]] or at[self._beside(text)].any() or bool(_compared_pairs([text], [*odd.values()]))
            near[i] = these[i] and alike
        return near

    def _beside(self, text: str) -> list[int]:
        return [slot for slot, _ in self._texts.index.near(text)]

    async def contested(self, groups: NDArray[np.uint32], categories: NDArray[np.uint32]) -> TextMask:
        """Return which texts belong to groups in conflict (`conflict.py`).

        Args:
            groups: The group of each text, numbered from 0.
            categories: The number of each text's category.
        """
        async with self._lock:
            return await in_thread(self._contested, groups, categories)

    def _contested(self, groups: NDArray[np.uint32], categories: NDArray[np.uint32]) -> TextMask:
        clusters = self._clusters(groups)[groups]
        order = np.lexsort((categories, clusters))
        one, kind = clusters[order], categories[order]
        other = (one[1:] == one[:-1]) & (kind[1:] != kind[:-1])
        return np.isin(clusters, one[1:][other])

    def _clusters(self, groups: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return for each group the first group of its cluster: the least number spreads until none changes."""
        slots = self.slots
        keys, starts, found = self._texts.entries()
        first = np.arange(int(groups.max()) + 1 if len(groups) else 0, dtype=np.uint32)
        while True:
            at = np.full(len(self._texts.index), _NOBODY, np.uint32)  # no cluster goes on over a text without a row
            np.minimum.at(at, slots, first[groups])
            around = at.copy()
            if len(keys):
                around[keys] = np.minimum(at[keys], np.minimum.reduceat(at[found], starts[:-1]))
            spread = first.copy()
            np.minimum.at(spread, groups, around[slots])
            spread = spread[spread]
            if np.array_equal(spread, first):
                return first
            first = spread


def _compared_pairs(these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
    if len(these) > len(those):  # fewer look-ups in a larger index are faster
        return sorted((i, j) for j, i in _compared_pairs(those, these))
    index = Index()
    places: defaultdict[int, list[int]] = defaultdict(list)
    for j, text in enumerate(those):
        places[index.slot(text)].append(j)
    return sorted((i, j) for i, text in enumerate(these) for slot, _ in index.near(text) for j in places[slot])
