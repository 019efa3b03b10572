"""An in-memory index of texts that finds near-copies and ranks texts by likeness."""

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel

from bot.domain.dataset import normalised
from bot.domain.similar import FAR, NEAR, NUMBER_WEIGHT, ContentWords, bare_kana, content, share
from bot.similarity.packed import NumberedWords, Packed, Parts, Postings, joined_parts, key_of, member_parts, slip

MOST_WORDS, MOST_TRIGRAMS = 1_000, 2_000
"""Most content words and trigrams of a text that are compared, the first ones, so that no text fills the memory."""
FEW_CANDIDATES = 2
"""Most candidates that are compared word by word at once; a longer list is first narrowed by counting shared words."""
ROUNDED = 1e-6
"""Larger than any rounding error of a comparison that narrows candidates."""
FIRST_RANKED = 100
"""How many of the most alike texts are sorted first."""

_ARRAYS = {"_exact": "Q", "_contents": "I", "_content_ends": "I", "_trigram_counts": "I"}
_MEMBERS = ("_texts", "_words", "_slots", "_slots_by_joined_words", "_slots_by_word", "_slots_by_trigram")
"""Attributes of an index, from which it is read again."""

_NONE: NDArray[np.uint32] = np.zeros(0, np.uint32)
_VOWEL = re.compile("[aeiou]")


def is_typo(word: str, typed: str) -> bool:
    """Return whether `typed` is very likely `word` with a typo: a slip, but not in the first or last letter.

    “Paternity” and “maternity”, or “trainee” and “trainer”, are a slip apart and two words. Letters without a vowel are
    a code, in which each letter counts. In kana only the marks of a letter may differ: its dots, its size, or a long
    vowel.
    """
    if not slip(word, typed):
        return False
    if not word.isascii():
        return bare_kana(word) == bare_kana(typed)
    ends_agree = (word[0], word[-1]) == (typed[0], typed[-1])
    return ends_agree and bool(_VOWEL.search(word) and _VOWEL.search(typed))


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
        self._slots_by_word = Postings()
        self._slots_by_trigram = Postings(np.uint64)
        self._trigram_counts = array("I")
        """Grows only when a likeness is asked for, because near-copies are found without trigrams."""

    def parts(self) -> dict[str, bytes]:
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

    def slot(self, text: str) -> int:
        """Return the slot of a text; a new text is added."""
        plain = normalised(text)
        found = self._slot_of(plain)
        if found is None:
            self._exact.append(_hash(text))
            found = self._add(plain, compared(text))
        return found

    def find(self, text: str) -> int | None:
        """Return the slot of a text that was added with the same words; None if it is not known."""
        slot = self._slot_of(normalised(text))
        return slot if slot is not None and self.says(slot, text) else None

    def _slot_of(self, plain: str) -> int | None:
        return next((slot for slot in self._slots.listed(key_of(plain)) if self._texts[slot] == plain), None)

    def _add(self, plain: str, words: ContentWords) -> int:
        slot = len(self._texts)
        self._texts.append(plain)
        self._slots.add(key_of(plain), slot)
        self._slots_by_joined_words.add(key_of("".join(words)), slot)
        numbers = [self._words.number(word) for word in words]
        self._contents.extend(numbers)
        self._content_ends.append(len(self._contents))
        for number in set(numbers):
            self._slots_by_word.add(number, slot)
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
        return self._exact[slot] == _hash(text) or self._content(slot) == compared(text)

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
        for slot in range(len(self._trigram_counts), len(self._texts)):
            grams = trigrams(self._content(slot))
            self._trigram_counts.append(len(grams))
            for gram in grams:
                self._slots_by_trigram.add(_number(gram), slot)

    def _content(self, slot: int) -> ContentWords:
        start, end = self._content_ends[slot : slot + 2]
        words = self._words.known
        return tuple([words[number] for number in self._contents[start:end]])

    def _near(self, words: ContentWords) -> set[int]:
        candidates = self._candidates(words)
        found = {slot for slot in candidates if share(words, self._content(slot), slip) >= NEAR}
        joined = "".join(words)
        same = self._slots_by_joined_words.listed(key_of(joined))
        return found.union(slot for slot in same if "".join(self._content(slot)) == joined)

    def _candidates(self, words: ContentWords) -> list[int]:
        """Return the slots of texts with enough of these words, and few enough others, to be near."""
        may_lack = missing(len(words))
        slots_of = [(weight(word) > may_lack, self._slots_of(word)) for word in set(words)]
        rarest_first = sorted(slots_of, key=lambda one: (not one[0], len(one[1])))
        required = rarest_first[0][0]
        # A near text lacks at most `may_lack` of the words, so it has one of any `may_lack + 1`.
        first = 1 if required else may_lack + 1
        slots = rarest_first[0][1] if first == 1 else np.unique(np.concatenate([s for _, s in rarest_first[:first]]))
        ends = np.frombuffer(self._content_ends, np.uint32)
        counts = ends[slots + 1].astype(np.int64) - ends[slots]
        lacked = np.zeros(len(slots), np.int64)
        for must, others in [(False, slots), *(rarest_first if first > 1 else rarest_first[1:])]:
            if len(slots) <= FEW_CANDIDATES:
                break
            lacked += np.where(_among(slots, others), 0, may_lack + 1 if must else 1)
            # The most words that can be in common; all others are apart, as in `share`.
            common = np.minimum(counts, len(words) - lacked)
            possible = (2 - 2 * NEAR) * common >= NEAR * (counts + len(words) - 2 * common) - ROUNDED
            slots, counts, lacked = slots[possible], counts[possible], lacked[possible]
        return [int(slot) for slot in slots]

    def _slots_of(self, word: str) -> NDArray[np.uint32]:
        """Return the slots of texts that hold this word or one that is a slip away, in order."""
        found = [self._slots_by_word.of(one) for one in self._words.spellings(word)]
        if len(found) < 2:
            return found[0] if found else _NONE
        return np.unique(np.concatenate(found))


def _hash(text: str) -> int:
    """Return 64 bits that no two texts share in practice, the same in each process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _number(trigram: str) -> int:
    """Return a trigram as a number of 63 bits."""
    first, second, third = map(ord, trigram)
    return first << 42 | second << 21 | third


def _among(slots: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return for each slot whether it is among the others, which are in order."""
    if not len(others):
        return np.zeros(len(slots), np.bool_)
    places = np.searchsorted(others, slots)
    return np.asarray(others[np.minimum(places, len(others) - 1)] == slots, np.bool_)


def compared(text: str) -> ContentWords:
    """Return the content words of a text that the index compares."""
    return content(text)[:MOST_WORDS]


def missing(count: int) -> int:
    """Return how many of `count` words a near text may lack: the largest m with 2(count-m) / (2(count-m)+m) ≥ NEAR."""
    return int(2 * (1 - NEAR) * count / (2 - NEAR) + 1e-9)


def weight(word: str) -> int:
    """Return how many words a word counts as when only one of two texts has it (see `share`)."""
    return NUMBER_WEIGHT if word.isdecimal() else 1


def trigrams(words: ContentWords) -> set[str]:
    """Return the trigrams of each word with a space at both ends, so that short words count as well."""
    found = (padded[at : at + 3] for word in words for padded in (f" {word} ",) for at in range(len(padded) - 2))
    return set(islice(found, MOST_TRIGRAMS))
