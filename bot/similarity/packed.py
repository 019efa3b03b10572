"""What an index of many texts is made of, in little memory: packed texts, numbers by hash, and numbered words."""

import re
from array import array
from collections import defaultdict

from rapidfuzz.distance import OSA

SHORTEST_SLIP = 5
"""Fewest letters of a word in which one slip is forgiven; shorter words too often become another word."""
LONGEST_SLIP = 40
"""Most letters of a word in which a slip is forgiven. A longer run of letters is no word."""
SPARED = 2
"""Number of letters at one of a word's ends that any slip spares, since a word has at least `SHORTEST_SLIP`."""

_LETTERS = re.compile(r"[a-z]+|[\u3040-\u30ff]+")


def slip(one: str, other: str) -> bool:
    """Return whether two words differ by at most one letter or one swap of neighbours. Kanji are not letters."""
    if not (_may_slip(one) and _may_slip(other)):
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


def _may_slip(word: str) -> bool:
    return SHORTEST_SLIP <= len(word) <= LONGEST_SLIP and bool(_LETTERS.fullmatch(word))


class Packed:
    """A growing list of texts, kept as UTF-8 in one block."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("Q", [0])

    def append(self, text: str) -> None:
        self._data += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, at: int) -> str:
        start, end = self._ends[at : at + 2]
        return self._data[start:end].decode("utf-8", "surrogatepass")


class SlotsByKey:
    """Slots by the hash of a text. Different texts may share a hash, so the caller compares them."""

    def __init__(self) -> None:
        self._found: dict[int, int | tuple[int, ...]] = {}

    def add(self, key: str, slot: int) -> None:
        before = self.of(key)
        self._found[hash(key)] = (*before, slot) if before else slot

    def of(self, key: str) -> tuple[int, ...]:
        """Return the slots that may have this key, in order."""
        found = self._found.get(hash(key), ())
        return found if isinstance(found, tuple) else (found,)


class NumberedWords:
    """Known words, each with a number."""

    def __init__(self) -> None:
        self.known: list[str] = []
        """The words, by number."""
        self._numbers: dict[str, int] = {}
        self._spellings: dict[int, list[int]] = {}
        """Word → the words that are a slip away; words without any are left out."""
        self._by_end: defaultdict[str, list[int]] = defaultdict(list)
        """First and last letters → the words that begin or end with them."""

    def __len__(self) -> int:
        return len(self.known)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def number(self, word: str) -> int:
        """Return the number of a word; a new word is added."""
        found = self._numbers.get(word)
        if found is None:
            beside = self._slips(word)
            found = self._numbers[word] = len(self.known)
            self.known.append(word)
            if beside:
                self._spellings[found] = beside
            for other in beside:
                self._spellings.setdefault(other, []).append(found)
            for end in _ends(word):
                self._by_end[end].append(found)
        return found

    def spellings(self, word: str) -> list[int]:
        """Return the numbers of this word and of the known words that are a slip away."""
        number = self._numbers.get(word)
        return self._slips(word) if number is None else [number, *self._spellings.get(number, ())]

    def _slips(self, word: str) -> list[int]:
        """Return the known words that are a slip away from this new word."""
        near = {number for end in _ends(word) for number in self._by_end.get(end, ())}
        return [number for number in near if OSA.distance(word, self.known[number], score_cutoff=1) <= 1]


def _ends(word: str) -> tuple[str, ...]:
    """Return the letters at both ends; nothing for a word that is too short or long for a slip.

    Two words that are a slip apart share their first or their last letters.
    """
    return (f"{word[:SPARED]}-", f"-{word[-SPARED:]}") if _may_slip(word) else ()
