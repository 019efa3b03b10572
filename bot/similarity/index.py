"""An in-memory index of texts that finds near-copies and ranks texts by likeness."""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, Indel

from bot.domain.dataset import normalised
from bot.domain.similar import FAR, NEAR, NUMBER_WEIGHT, ContentWords, bare_kana, content, share

SHORTEST_SLIP = 5
"""Fewest letters of a word in which one slip is forgiven; shorter words too often become another word."""
LONGEST_SLIP = 40
"""Most letters of a word in which a slip is forgiven. A longer run of letters is no word, and each of its letters would
add a variant as long as itself: 71 MB for 6,000 kana."""
MOST_WORDS, MOST_TRIGRAMS = 1_000, 2_000
"""Most content words and trigrams of a text that are compared, the first ones, so that no text fills the memory."""
FEW_CANDIDATES = 50
"""Most candidates that are compared word by word at once; a longer list is first narrowed by counting shared words."""
FIRST_RANKED = 100
"""How many of the most alike texts are sorted first."""

_NONE: NDArray[np.uint32] = np.zeros(0, np.uint32)
_VOWEL = re.compile("[aeiou]")
_LETTERS = re.compile(r"[a-z]+|[\u3040-\u30ff]+")


def slip(one: str, other: str) -> bool:
    """Return whether two words differ by at most one letter or one swap of neighbours. Kanji are not letters."""
    if not (_may_slip(one) and _may_slip(other)):
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


def _may_slip(word: str) -> bool:
    return SHORTEST_SLIP <= len(word) <= LONGEST_SLIP and bool(_LETTERS.fullmatch(word))


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
    never removed.
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._texts: list[str] = []
        self._contents: list[ContentWords] = []
        self._slots_by_joined_words: defaultdict[str, list[int]] = defaultdict(list)
        self._slots_by_word: dict[str, array[int]] = {}
        self._spellings: dict[str, list[str]] = {}
        """Known word → the word itself, then the known words that are a slip away."""
        self._words_by_variant: defaultdict[str, list[str]] = defaultdict(list)
        self._slots_by_trigram: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
        self._trigram_counts = array("I")
        self._word_counts = array("I")

    def slot(self, text: str) -> int:
        """Return the slot of a text; a new text is added."""
        plain = normalised(text)
        found = self._slots.get(plain)
        if found is None:
            found = self._slots[plain] = len(self._texts)
            words = compared(text)
            grams = trigrams(words)
            self._texts.append(plain)
            self._contents.append(words)
            self._slots_by_joined_words["".join(words)].append(found)
            self._trigram_counts.append(len(grams))
            self._word_counts.append(len(words))
            for gram in grams:
                self._slots_by_trigram[gram].append(found)
            for word in set(words):
                if word not in self._slots_by_word:
                    self._add_word(word)
                self._slots_by_word[word].append(found)
        return found

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self._texts)

    def text(self, slot: int) -> str:
        """Return the normalised text of a slot."""
        return self._texts[slot]

    def knows(self, word: str) -> bool:
        """Return whether any of the texts has this content word."""
        return word in self._slots_by_word

    def near(self, text: str) -> list[tuple[int, float]]:
        """Return the slots of nearly same texts with their similarity, `NEAR` to 1, the nearest first."""
        plain, words = normalised(text), compared(text)
        ranked = {
            slot: NEAR + (1 - NEAR) * Indel.normalized_similarity(plain, self._texts[slot])
            for slot in self._near(words)
        }
        if plain in self._slots:
            ranked[self._slots[plain]] = 1.0
        return sorted(ranked.items(), key=lambda one: (-one[1], one[0]))

    def beside(self, slot: int) -> set[int]:
        """Return the slots of the other texts that are nearly the same as the text of this slot."""
        return self._near(self._contents[slot]) - {slot}

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
        grams = trigrams(compared(text))
        hits = [
            np.frombuffer(self._slots_by_trigram[gram], np.uint32) for gram in grams if gram in self._slots_by_trigram
        ]
        if not hits:
            return np.zeros(len(self._texts))
        common = np.bincount(np.concatenate(hits), minlength=len(self._texts))
        return 2 * common / (np.frombuffer(self._trigram_counts, np.uint32) + len(grams))

    def _near(self, words: ContentWords) -> set[int]:
        candidates = self._candidates(words)
        found = {slot for slot in candidates if share(words, self._contents[slot], slip) >= NEAR}
        return found.union(self._slots_by_joined_words.get("".join(words), ()))

    def _candidates(self, words: ContentWords) -> list[int]:
        """Return the slots of texts with enough of these words, and few enough others, to be near."""
        if not self._texts:
            return []
        may_lack = missing(len(words))
        slots_of = {word: self._slots_of(word) for word in set(words)}
        required = [slots for word, slots in slots_of.items() if weight(word) > may_lack]
        slots = min(required, key=len, default=_NONE)
        if not required or len(slots) > FEW_CANDIDATES:
            common = np.bincount(np.concatenate([*slots_of.values()]), minlength=len(self._texts))
            slots = np.flatnonzero(common >= max(1, len(slots_of) - may_lack)).astype(np.uint32)
        # Texts with far more or far fewer words cannot reach NEAR, so their words need not be compared.
        counts = np.frombuffer(self._word_counts, np.uint32)[slots]
        possible = 2 * np.minimum(counts, len(words)) >= NEAR * (counts + len(words))
        return [int(slot) for slot in slots[possible]]

    def _slots_of(self, word: str) -> NDArray[np.uint32]:
        """Return the slots of texts that hold this word or one that is a slip away."""
        spellings = self._spellings[word] if word in self._spellings else self._slips(word)
        return np.concatenate([np.frombuffer(self._slots_by_word[one], np.uint32) for one in spellings] or [_NONE])

    def _add_word(self, word: str) -> None:
        self._slots_by_word[word] = array("I")
        self._spellings[word] = [word, *self._slips(word)]
        for spelling in self._spellings[word][1:]:
            self._spellings[spelling].append(word)
        for variant in variants(word):
            self._words_by_variant[variant].append(word)

    def _slips(self, word: str) -> list[str]:
        """Return the known words that are a slip away from this word."""
        near = {one for variant in variants(word) for one in self._words_by_variant.get(variant, ())}
        return [one for one in near if slip(word, one)]


def compared(text: str) -> ContentWords:
    """Return the content words of a text that the index compares."""
    return content(text)[:MOST_WORDS]


def missing(count: int) -> int:
    """Return how many of `count` words a near text may lack: the largest m with 2(count-m) / (2(count-m)+m) ≥ NEAR."""
    return int(2 * (1 - NEAR) * count / (2 - NEAR) + 1e-9)


def weight(word: str) -> int:
    """Return how many words a word counts as when only one of two texts has it (see `share`)."""
    return NUMBER_WEIGHT if word.isdecimal() else 1


def variants(word: str) -> set[str]:
    """Return the word and its forms without one letter; nothing for a word that is too short or long for a slip.

    Two words that are a slip apart share a variant.
    """
    if not _may_slip(word):
        return set()
    return {word} | {word[:at] + word[at + 1 :] for at in range(len(word))}


def trigrams(words: ContentWords) -> set[str]:
    """Return the trigrams of each word with a space at both ends, so that short words count as well."""
    found = (padded[at : at + 3] for word in words for padded in (f" {word} ",) for at in range(len(padded) - 2))
    return set(islice(found, MOST_TRIGRAMS))
