"""The parts of an index of many texts, in little memory: packed texts, numbers by key, and numbered words.

Each part can be written as bytes and read again, which is quicker than to build it anew.
"""

import re
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator, MutableMapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

Bytes = bytes | memoryview
Parts = MutableMapping[str, Bytes]
"""Name → bytes, from which something is read again in this process or another one."""

MOST_UNSORTED = 4_096
"""Most new entries that `Postings` keeps unsorted, or a sixteenth of all if that is more. Each takes 200 bytes."""

SHORTEST_SLIP = 5
"""Fewest letters of a word in which one slip is forgiven; shorter words too often become another word."""
LONGEST_SLIP = 40
"""Most letters of a word in which a slip is forgiven. A longer run of letters is no word."""
SPARED = 2
"""Number of letters at one of a word's ends that any slip spares, since a word has at least `SHORTEST_SLIP`."""

_NONE: NDArray[np.uint32] = np.empty(0, np.uint32)
_LETTERS = re.compile(r"[a-z]+|[\u3040-\u30ff]+")


def slip(one: str, other: str) -> bool:
    """Return whether two words differ by at most one letter or one swap of neighbours. Kanji are not letters."""
    if not (_may_slip(one) and _may_slip(other)):
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


def _may_slip(word: str) -> bool:
    return SHORTEST_SLIP <= len(word) <= LONGEST_SLIP and bool(_LETTERS.fullmatch(word))


def joined_parts(**members: Parts) -> dict[str, Bytes]:
    """Return the parts of several members as one, each under its member's name."""
    return {f"{name}.{part}": data for name, parts in members.items() for part, data in parts.items()}


def member_parts(name: str, parts: Parts) -> dict[str, Bytes]:
    """Take the parts of one member that `joined_parts` put together out of all: nothing is in memory twice for long."""
    own = [part for part in parts if part.startswith(f"{name}.")]
    return {part.removeprefix(f"{name}."): parts.pop(part) for part in own}


def key_of(text: str) -> int:
    """Return a key of 32 bits that is the same in each process. Different texts may share it."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


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

    def __iter__(self) -> Iterator[str]:
        return (self[at] for at in range(len(self)))

    def parts(self) -> dict[str, Bytes]:
        return {"data": bytes(self._data), "ends": self._ends.tobytes()}

    def take(self, parts: Parts) -> None:
        self._data, self._ends = bytearray(parts["data"]), array("Q", parts["ends"])


class Postings:
    """Numbers by key, in the order in which they were added. An entry takes few bytes, and a look-up is a search.

    Another thread may read while one adds.

    Args:
        kind: The type of the keys.
    """

    def __init__(self, kind: type[np.uint32 | np.uint64] = np.uint32) -> None:
        self._kind = kind
        self._unsorted = 0
        self._hold(np.empty(0, kind), np.zeros(1, np.uint32), np.empty(0, np.uint32))

    def _hold(self, keys: NDArray[np.unsignedinteger], starts: NDArray[np.uint32], found: NDArray[np.uint32]) -> None:
        new: dict[int, array[int]] = {}
        # One value, so that a reader in another thread never sees the old half of it beside the new one.
        self._entries = keys, starts, found, new
        self._unsorted, self._most_unsorted = 0, max(MOST_UNSORTED, len(found) // 16)

    def add(self, key: int, number: int) -> None:
        new = self._entries[3]
        if key in new:
            new[key].append(number)
        else:
            new[key] = array("I", (number,))
        self._unsorted += 1
        if self._unsorted > self._most_unsorted:
            self._sort()

    def extend(self, keys: Sequence[int], numbers: Sequence[int]) -> None:
        """Add many numbers, each with its key."""
        if len(keys) <= MOST_UNSORTED:
            for key, number in zip(keys, numbers, strict=True):
                self.add(key, number)
        else:
            self._sort(np.array(keys, self._kind), np.array(numbers, np.uint32))

    def of(self, key: int) -> NDArray[np.uint32]:
        """Return the numbers of a key."""
        keys, starts, found, new = self._entries
        at = keys.searchsorted(self._kind(key))
        known = found[starts[at] : starts[at + 1]] if at < len(keys) and keys[at] == key else found[:0]
        added = new.get(key)
        if not added:
            return known
        # A copy, because the array may grow meanwhile.
        return np.concatenate((known, np.array(added, np.uint32))) if len(known) else np.array(added, np.uint32)

    def listed(self, key: int) -> list[int]:
        """Return the few numbers of a key as a list, which is quicker to make and to walk."""
        keys, starts, found, new = self._entries
        at = keys.searchsorted(self._kind(key)) if len(keys) else 0
        known = found[starts[at] : starts[at + 1]].tolist() if at < len(keys) and keys[at] == key else []
        added = new.get(key)
        return [*known, *added] if added else known

    def of_any(self, wanted: NDArray[np.unsignedinteger]) -> set[int]:
        """Return the numbers of any of these keys."""
        keys, starts, found, new = self._entries
        at = keys.searchsorted(wanted.astype(self._kind))
        at = at[np.take(keys, at, mode="clip") == wanted] if len(keys) else at[:0]
        numbers = {number for one in at.tolist() for number in found[starts[one] : starts[one + 1]].tolist()}
        return numbers.union(*(new.get(key, ()) for key in wanted.tolist()))

    def _sort(self, keys_after: NDArray[np.unsignedinteger] = _NONE, after: NDArray[np.uint32] = _NONE) -> None:
        """Merge the new entries, and further ones that come after them, with the others, which are sorted already."""
        keys, starts, found, new = self._entries
        if not new and not len(after):
            return
        added = np.fromiter((key for key, numbers in new.items() for _ in numbers), self._kind, self._unsorted)
        later = np.fromiter((number for numbers in new.values() for number in numbers), np.uint32, self._unsorted)
        added, later = np.concatenate([added, keys_after.astype(self._kind)]), np.concatenate([later, after])
        order = np.argsort(added, kind="stable")
        fresh, counts = np.unique(added, return_counts=True)
        every = np.union1d(keys, fresh)
        known = np.zeros((len(every), 2), np.int64)  # by key: how many entries, and how many of the new ones
        known[every.searchsorted(keys), 0] = np.diff(starts)
        known[every.searchsorted(fresh), 1] = counts
        # Large lists have many entries, so nothing as long as all of them is made but this and the result.
        is_new = np.repeat(np.tile(np.array([False, True]), len(every)), known.ravel())
        merged = np.empty(len(is_new), np.uint32)
        merged[is_new] = later[order]
        merged[np.logical_not(is_new, out=is_new)] = found
        ends = np.zeros(len(every) + 1, np.uint32)
        np.cumsum(known.sum(axis=1), out=ends[1:])
        self._hold(every, ends, merged)

    def entries(self) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the keys, where the numbers of each begin, with the end of all, and the numbers."""
        self._sort()
        return self._entries[:3]

    def parts(self) -> dict[str, Bytes]:
        keys, starts, found = self.entries()
        # No copies: these arrays are replaced and never changed.
        return {"keys": _bytes(keys), "starts": _bytes(starts), "numbers": _bytes(found)}

    def take(self, parts: Parts) -> None:
        starts, found = (np.frombuffer(parts[name], np.uint32) for name in ("starts", "numbers"))
        self._hold(np.frombuffer(parts["keys"], self._kind), starts, found)


def _bytes(entries: NDArray[np.unsignedinteger]) -> memoryview:
    return np.ascontiguousarray(entries).view(np.uint8).data


class NumberedTexts:
    """Different texts, each with a number."""

    def __init__(self) -> None:
        self._texts = Packed()
        self._numbers = Postings()

    def __getitem__(self, number: int) -> str:
        return self._texts[number]

    def __len__(self) -> int:
        return len(self._texts)

    def find(self, text: str) -> int | None:
        """Return the number of a text; None if it has none."""
        return next((number for number in self._numbers.listed(key_of(text)) if self._texts[number] == text), None)

    def number(self, text: str) -> int:
        """Return the number of a text; a new text is added."""
        found = self.find(text)
        if found is None:
            found = len(self._texts)
            self._texts.append(text)
            self._numbers.add(key_of(text), found)
        return found

    def parts(self) -> dict[str, Bytes]:
        return joined_parts(texts=self._texts.parts(), numbers=self._numbers.parts())

    def take(self, parts: Parts) -> None:
        self._texts.take(member_parts("texts", parts))
        self._numbers.take(member_parts("numbers", parts))


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

    def parts(self) -> dict[str, Bytes]:
        words, slips = Packed(), array("I")
        for word in self.known:
            words.append(word)
        for number, others in self._spellings.items():
            for other in others:
                slips.extend((number, other))
        return words.parts() | {"slips": slips.tobytes()}

    def take(self, parts: Parts) -> None:
        words = Packed()
        words.take(parts)
        self.known = [*words]
        self._numbers = {word: number for number, word in enumerate(self.known)}
        for number, word in enumerate(self.known):
            for end in _ends(word):
                self._by_end[end].append(number)
        slips = array("I", parts["slips"])
        for number, other in zip(slips[::2], slips[1::2], strict=True):
            self._spellings.setdefault(number, []).append(other)

    def _slips(self, word: str) -> list[int]:
        """Return the known words that are a slip away from this new word."""
        near = {number for end in _ends(word) for number in self._by_end.get(end, ())}
        return [number for number in near if OSA.distance(word, self.known[number], score_cutoff=1) <= 1]


def _ends(word: str) -> tuple[str, ...]:
    """Return the letters at both ends; nothing for a word that is too short or long for a slip.

    Two words that are a slip apart share their first or their last letters.
    """
    return (f"{word[:SPARED]}-", f"-{word[-SPARED:]}") if _may_slip(word) else ()
