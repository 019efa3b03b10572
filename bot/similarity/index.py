"""An in-memory index of texts that finds near-copies and ranks texts by likeness."""

import hashlib
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from operator import or_

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel

from bot.domain.dataset import normalised
from bot.domain.similar import FAR, NEAR, NUMBER_WEIGHT, ContentWords, content, share
from bot.similarity.packed import (
    Bytes,
    NumberedWords,
    Packed,
    Parts,
    Postings,
    joined_parts,
    key_of,
    member_parts,
)

MOST_WORDS, MOST_TRIGRAMS = 1_000, 2_000
"""Most content words and trigrams of a text that are compared, the first ones, so that no text fills the memory."""
SHORT = 45
"""Most words of a text that must have the same numbers to be near: a number counts as `NUMBER_WEIGHT` words."""
NUMBER_BIT = 1 << 63
"""The bit of a text that has a number among its words."""
ROUNDED = 1e-6
"""Tolerance for rounding errors when candidates are narrowed."""
TRIGRAMS_ADDED = 20_000
"""Number of texts whose trigrams are added at once, so that few of them are in memory twice."""
FEW = 24
"""Number of candidates up to which each is compared at once."""
FIRST_RANKED = 100
"""How many of the most alike texts are sorted first."""

_ARRAYS = {"_exact": "Q", "_contents": "I", "_content_ends": "I", "_trigram_counts": "I"}
_MEMBERS = ("_texts", "_words", "_slots", "_slots_by_joined_words", "_slots_by_word", "_slots_by_trigram")
"""Attributes of an index, from which it is read again."""

_NONE: NDArray[np.uint32] = np.zeros(0, np.uint32)


class Index:
    """A growing index of texts by their content words and the trigrams of these words.

    Each text has a number, its slot, counted from 0. Texts that are the same once normalised share a slot. Slots are
    never removed. Many texts are kept in little memory: as bytes, and with a number for each word.
    """

    def __init__(self) -> None:
        self._texts = Packed()
        self._words = NumberedWords()
        self._slots = Postings()
        """Key of a normalised text → its slot."""
        self._exact = array("Q")
        """The hash of each slot's text as it was added."""
        self._slots_by_joined_words = Postings()
        self._contents = array("I")
        """The numbers of each text's content words, one text after the other."""
        self._content_ends = array("I", [0])
        self._frequencies = array("I")
        """How often each word occurs."""
        self._counts = array("H")
        """How many content words each text has."""
        self._signs = array("Q")
        """Slot → 64 bits: `NUMBER_BIT`, and a text that lacks the bit of a word lacks the word."""
        self._slots_by_word = Postings()
        self._slots_by_trigram = Postings(np.uint64)
        self._trigram_counts = array("I")
        """Grows only when a likeness is asked for, because near-copies are found without trigrams."""

    def parts(self) -> dict[str, Bytes]:
        """Return all that the index knows, with the trigrams of all texts."""
        self.add_trigrams()
        arrays = {name: getattr(self, name).tobytes() for name in _ARRAYS}
        return arrays | joined_parts(**{name: getattr(self, name).parts() for name in _MEMBERS})

    def take(self, parts: Parts) -> None:
        """Take over what another index knew."""
        for name, kind in _ARRAYS.items():
            setattr(self, name, array(kind, parts[name]))
        for name in _MEMBERS:
            getattr(self, name).take(member_parts(name, parts))
        self._frequencies = array("I", np.bincount(self._contents, minlength=len(self._words)).astype(np.uint32))
        self._counts = array("H", np.diff(self._content_ends).astype(np.uint16))
        bits = [_bit(n) | (NUMBER_BIT if word.isdecimal() else 0) for n, word in enumerate(self._words.known)]
        if len(self._texts):  # each has a word
            starts = self._content_ends[:-1]
            self._signs = array("Q", np.bitwise_or.reduceat(np.array(bits, np.uint64)[self._contents], starts))

    def slot(self, text: str) -> int:
        """Return the slot of a text; a new text is added."""
        plain = normalised(text)
        found = self._slot_of(plain)
        return self._add(plain, hash_of(text), compared(text)) if found is None else found

    def find(self, text: str) -> int | None:
        """Return the slot of a text that was added with the same words; None if it is not known."""
        slot = self._slot_of(normalised(text))
        return slot if slot is not None and self.says(slot, text) else None

    def _slot_of(self, plain: str) -> int | None:
        return next((slot for slot in self._slots.listed(key_of(plain)) if self._texts[slot] == plain), None)

    def _add(self, plain: str, exact: int, words: ContentWords) -> int:
        slot = len(self._texts)
        numbers = [self._words.number(word) for word in words]
        self._exact.append(exact)
        self._contents.extend(numbers)
        self._content_ends.append(len(self._contents))
        self._signs.append(_sign(numbers) | (NUMBER_BIT if any(map(str.isdecimal, words)) else 0))
        self._counts.append(len(numbers))
        for number in numbers:
            if number == len(self._frequencies):
                self._frequencies.append(0)
            self._frequencies[number] += 1
        for number in set(numbers):
            self._slots_by_word.add(number, slot)
        self._slots_by_joined_words.add(key_of("".join(words)), slot)
        # Last, because another thread may find the slot from here on (`find`).
        self._texts.append(plain)
        self._slots.add(key_of(plain), slot)
        return slot

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self._texts)

    def text(self, slot: int) -> str:
        """Return the normalised text of a slot."""
        return self._texts[slot]

    def knows(self, word: str) -> bool:
        """Return whether any of the texts has this content word."""
        return word in self._words

    def near(self, text: str) -> list[tuple[int, float]]:
        """Return the slots of nearly same texts with their similarity, `NEAR` to 1, the nearest first."""
        plain = normalised(text)
        return self._ranked(plain, self._near(compared(text)), self._slot_of(plain))

    def says(self, slot: int, text: str) -> bool:
        """Return whether a text has the words of this slot, in the same order."""
        return self._exact[slot] == hash_of(text) or self._content(slot) == compared(text)

    def by_hash(self) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Return the hashes of all texts as they were added (`hash_of`), sorted, and the slot of each."""
        hashes = np.array(self._exact, np.uint64)
        slots = np.argsort(hashes).astype(np.uint32)
        return hashes[slots], slots

    def beside(self, slot: int) -> set[int]:
        """Return the slots of the other texts that are nearly the same as the text of this slot."""
        return self._near(self._content(slot)) - {slot}

    def ranked_beside(self, slot: int, beside: Iterable[int]) -> list[tuple[int, float]]:
        """Return what `near` finds for the text of a slot, given what `beside` found."""
        return self._ranked(self._texts[slot], {*beside, slot}, slot)

    def _ranked(self, plain: str, near: Iterable[int], same: int | None) -> list[tuple[int, float]]:
        ranked = {
            slot: NEAR + (1 - NEAR) * Indel.normalized_similarity(plain, self._texts[slot])
            for slot in near
            if slot != same
        }
        if same is not None:
            ranked[same] = 1.0
        return sorted(ranked.items(), key=lambda one: (-one[1], one[0]))

    def alike(self, text: str) -> Iterator[tuple[int, float]]:
        """Yield slots with their similarity, the most alike first: near-copies, then texts that share a trigram."""
        return self.ranked(text, self.likeness(text))

    def ranked(self, text: str, likeness: NDArray[np.float64]) -> Iterator[tuple[int, float]]:
        """Yield slots with their similarity, the most alike first: near-copies, then by this likeness of each slot.

        Slots of no likeness are left out. The array is changed.
        """
        near = self.near(text)
        yield from near
        likeness[[slot for slot, _ in near]] = 0.0
        # Callers rarely take more than the first few, so the rest is sorted only on demand.
        for few in (FIRST_RANKED, len(likeness)):
            top = np.argpartition(-likeness, few - 1)[:few] if few <= len(likeness) else np.arange(len(likeness))
            for slot in top[np.lexsort((top, -likeness[top]))].tolist():
                if not likeness[slot]:
                    return
                yield slot, FAR * float(likeness[slot])
            likeness[top] = 0.0

    def likeness(self, text: str) -> NDArray[np.float64]:
        """Return for each slot the share of trigrams in common with this text, 0..1 (Dice's coefficient)."""
        self.add_trigrams()
        grams = trigrams(compared(text))
        if not grams:
            return np.zeros(len(self._texts))
        hits = [self._slots_by_trigram.of(_number(gram)) for gram in grams]
        common = np.bincount(np.concatenate(hits), minlength=len(self._texts))
        return 2 * common / (np.frombuffer(self._trigram_counts, np.uint32) + len(grams))

    def add_trigrams(self) -> None:
        """Add the trigrams of the texts that have none yet."""
        while len(self._trigram_counts) < len(self._texts):
            numbers, slots = array("Q"), array("I")
            of_words: dict[str, frozenset[int]] = {}
            for slot in range(len(self._trigram_counts), len(self._texts))[:TRIGRAMS_ADDED]:
                grams = self._trigrams_at(slot, of_words)
                self._trigram_counts.append(len(grams))
                numbers.extend(grams)
                slots.extend([slot] * len(grams))
            self._slots_by_trigram.extend(numbers, slots)

    def _trigrams_at(self, slot: int, of_words: dict[str, frozenset[int]]) -> set[int]:
        """Return the numbers of a slot's trigrams. Those of the words that were met are kept in `of_words`."""
        words = self._content(slot)
        if sum(map(len, words)) > MOST_TRIGRAMS:
            return {*map(_number, trigrams(words))}
        for word in words:
            if word not in of_words:
                of_words[word] = frozenset(map(_number, trigrams((word,))))
        return set[int]().union(*map(of_words.__getitem__, words))

    def _content(self, slot: int) -> ContentWords:
        start, end = self._content_ends[slot : slot + 2]
        words = self._words.known
        return tuple([words[number] for number in self._contents[start:end]])

    def _near(self, words: ContentWords) -> set[int]:
        spelt = {word: self._words.spellings(word) for word in words}
        slips = {word: {self._words.known[one] for one in ones} for word, ones in spelt.items() if ones}

        def same(one: str, other: str) -> bool:
            return other in slips.get(one, ()) or one in slips.get(other, ())

        known = {ones[0]: len(ones) > 1 for word, ones in spelt.items() if word in self._words}
        found = set()
        for slot in self._candidates(words, spelt):
            likeness = self._plain_share(known, slot) if len(known) == len(words) else None
            if likeness is None:
                likeness = share(words, self._content(slot), same)
            if likeness >= NEAR:
                found.add(slot)
        joined = "".join(words)
        same_letters = self._slots_by_joined_words.listed(key_of(joined))
        return found.union(slot for slot in same_letters if "".join(self._content(slot)) == joined)

    def _plain_share(self, words: Mapping[int, bool], slot: int) -> float | None:
        """Return the `share` of different words and the text of a slot; None if a slip or a repeated word is in it.

        Args:
            words: The numbers of words, each with whether it is a slip away from another known one.
            slot: The slot.
        """
        start, end = self._content_ends[slot : slot + 2]
        others = {*self._contents[start:end]}
        lacking = words.keys() - others
        if len(others) != end - start or any(map(words.__getitem__, lacking)):
            return None
        known = self._words.known
        apart = sum(NUMBER_WEIGHT if known[one].isdecimal() else 1 for one in (*lacking, *(others - words.keys())))
        common = 2 * (len(words) - len(lacking))
        return common / (common + apart)

    def _candidates(self, words: ContentWords, spelt: Mapping[str, Sequence[int]]) -> set[int]:
        """Return the slots of texts with enough of these words, and few enough others, to be near.

        Args:
            words: The content words of a text.
            spelt: Each word → the known words that it may be.
        """
        may_lack, frequency = missing(len(words)), self._frequencies.__getitem__
        spare = [len(words) > SHORT or not word.isdecimal() for word in spelt]
        """Whether a near text may lack the word."""
        ranked = zip(spare, spelt.values(), strict=True)
        rarest_first = sorted((may, sum(map(frequency, ones)), ones) for may, ones in ranked)
        # A near text lacks at most `may_lack` of the words, so it has one of any `may_lack + 1`.
        first = 1 if not rarest_first[0][0] else may_lack + 1
        unknown = sum(not ones for ones in spelt.values())
        if unknown > may_lack:
            return set()
        some = [one for _, _, ones in rarest_first[:first] for one in ones]
        fewest, most = len(words) * NEAR / (2 - NEAR) - ROUNDED, len(words) * (2 - NEAR) / NEAR + ROUNDED
        if sum(map(frequency, some)) <= FEW:  # arrays would take longer
            counts = self._counts
            listed = {slot for one in some for slot in self._slots_by_word.listed(one)}
            return {slot for slot in listed if fewest <= counts[slot] <= most}
        slots = np.concatenate([_NONE, *map(self._slots_by_word.of, some)])
        counts = np.frombuffer(self._counts, np.uint16)[slots]
        slots = slots[(counts >= math.ceil(fewest)) & (counts <= int(most))]
        if not len(slots):
            return set()
        return {*slots[self._lacked(slots, rarest_first, unknown, len(words)) <= may_lack].tolist()}

    def _lacked(
        self,
        slots: NDArray[np.uint32],
        rarest_first: Sequence[tuple[bool, int, Sequence[int]]],
        unknown: int,
        count: int,
    ) -> NDArray[np.uint16]:
        """Return how many of `count` words each of these slots lacks at least; too many where it may not lack one."""
        too_many = np.uint16(missing(count) + 1)
        absent = ~np.frombuffer(self._signs, np.uint64)[slots]
        single = [(may, _bit(ones[0])) for may, _, ones in rarest_first if len(ones) == 1]
        wanted = reduce(or_, (bit for _, bit in single), 0)
        required = reduce(or_, (bit for may, bit in single if not may), 0)
        # Two words may have the same bit, so a text lacks at least as many words as bits.
        lacked = np.bitwise_count(absent & np.uint64(wanted)).astype(np.uint16) + np.uint16(unknown)
        lacked[absent & np.uint64(required) != 0] = too_many
        if count < SHORT and all(may for may, _, _ in rarest_first):
            lacked[absent & np.uint64(NUMBER_BIT) == 0] = too_many
        for may, _, ones in rarest_first:
            if len(ones) > 1:
                sign = np.uint64(_sign(ones))
                lacked += (absent & sign == sign) * np.uint16(1 if may else too_many)
        return np.asarray(lacked)


def _bit(word: int) -> int:
    """Return the bit that stands for the number of a word; several words share one."""
    return 1 << (word * 0x9E3779B1 >> 16) % 63


def _sign(words: Iterable[int]) -> int:
    return reduce(or_, map(_bit, words), 0)


def hash_of(text: str) -> int:
    """Return 64 bits that no two texts share in practice, the same in each process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _number(trigram: str) -> int:
    """Return a trigram as a number of 63 bits."""
    first, second, third = map(ord, trigram)
    return first << 42 | second << 21 | third


def compared(text: str) -> ContentWords:
    """Return the content words of a text that the index compares."""
    return content(text)[:MOST_WORDS]


def missing(count: int) -> int:
    """Return how many of `count` words a near text may lack: the largest m with 2(count-m) / (2(count-m)+m) ≥ NEAR."""
    return int(2 * (1 - NEAR) * count / (2 - NEAR) + 1e-9)


def trigrams(words: ContentWords) -> set[str]:
    """Return the trigrams of each word with a space at both ends, so that short words count as well."""
    found = (padded[at : at + 3] for word in words for padded in (f" {word} ",) for at in range(len(padded) - 2))
    return set(islice(found, MOST_TRIGRAMS))
