"""Settled rows by likeness, in memory: an index that follows the rows of the record."""

import asyncio
import re
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, Indel

from bot.domain.conflict import Clusters, Conflict
from bot.domain.dataset import Row, Split, group_of, normalised
from bot.domain.similar import FAR, NEAR, NUMBER_WEIGHT, ContentWords, Neighbour, content, share
from bot.ports import Store

LATE_COMMIT = timedelta(seconds=15)
"""How long after its moment another replica's row may still be committed, or how far its clock is behind."""
SHORTEST_SLIP = 5
"""Letters of a word in which one may be wrong; of shorter ones too many are words of their own."""
FEW = 50
"""Texts that are compared word by word without a count of the words that they have in common."""
TOP = 100
"""How many of the most alike texts are put in order at once."""

_NONE: NDArray[np.uint32] = np.zeros(0, np.uint32)
_SPELT = re.compile(r"[a-z]+|[\u3040-\u30ff]+")


def slip(one: str, other: str) -> bool:
    """Whether two words are the same but for one letter, or two that changed places. A kanji is no letter."""
    if min(len(one), len(other)) < SHORTEST_SLIP or not (_SPELT.fullmatch(one) and _SPELT.fullmatch(other)):
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


class Index:
    """Texts by their content words and the trigrams of these; a text has one slot, whatever way it is written.

    Slots stay.
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._texts: list[str] = []
        self._contents: list[ContentWords] = []
        self._joined: defaultdict[str, list[int]] = defaultdict(list)
        self._having: dict[str, array[int]] = {}
        self._twins: dict[str, list[str]] = {}
        """Known words and those that are the same but for a slip, themselves first."""
        self._spelt: defaultdict[str, list[str]] = defaultdict(list)
        self._postings: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
        self._grams = array("I")
        self._words = array("I")

    def slot(self, text: str) -> int:
        """The slot of a text, a new one where it has none."""
        plain = normalised(text)
        found = self._slots.get(plain)
        if found is None:
            found = self._slots[plain] = len(self._texts)
            words = content(text)
            grams = trigrams(words)
            self._texts.append(plain)
            self._contents.append(words)
            self._joined["".join(words)].append(found)
            self._grams.append(len(grams))
            self._words.append(len(words))
            for gram in grams:
                self._postings[gram].append(found)
            for word in set(words):
                if word not in self._having:
                    self._learn(word)
                self._having[word].append(found)
        return found

    def near(self, text: str) -> list[tuple[int, float]]:
        """The slots of nearly same texts and their similarity, the nearest first."""
        plain, words = normalised(text), content(text)
        ranked = {
            slot: NEAR + (1 - NEAR) * Indel.normalized_similarity(plain, self._texts[slot])
            for slot in self._near(words)
        }
        if plain in self._slots:
            ranked[self._slots[plain]] = 1.0
        return sorted(ranked.items(), key=lambda one: (-one[1], one[0]))

    def beside(self, slot: int) -> set[int]:
        """The slots of the other texts that are nearly the same as this one."""
        return self._near(self._contents[slot]) - {slot}

    def alike(self, text: str) -> Iterator[tuple[int, float]]:
        """The slots that have any trigram in common with a text and their similarity, the most alike first."""
        likeness = self._likeness(content(text))
        near = self.near(text)
        yield from near
        likeness[[slot for slot, _ in near]] = 0.0
        # Hardly ever is more asked for than the first few, so that not all need be put in order.
        for few in (TOP, len(likeness)):
            top = np.argpartition(-likeness, few - 1)[:few] if few <= len(likeness) else np.arange(len(likeness))
            for slot in top[np.lexsort((top, -likeness[top]))].tolist():
                if not likeness[slot]:
                    return
                yield slot, FAR * float(likeness[slot])
            likeness[top] = 0.0

    def _likeness(self, words: ContentWords) -> NDArray[np.float64]:
        """For each slot the share of trigrams in common, 0..1 (Dice's coefficient)."""
        grams = trigrams(words)
        hits = [np.frombuffer(self._postings[gram], np.uint32) for gram in grams if gram in self._postings]
        if not hits:
            return np.zeros(len(self._texts))
        common = np.bincount(np.concatenate(hits), minlength=len(self._texts))
        return 2 * common / (np.frombuffer(self._grams, np.uint32) + len(grams))

    def _near(self, words: ContentWords) -> set[int]:
        candidates = self._with_enough(words)
        found = {slot for slot in candidates if share(words, self._contents[slot], slip) >= NEAR}
        return found.union(self._joined.get("".join(words), ()))

    def _with_enough(self, words: ContentWords) -> list[int]:
        """The slots of texts that have so many of the words that they may be near, and not too many others."""
        if not self._texts:
            return []
        lacking = missing(len(words))
        having = {word: self._slots_of(word) for word in set(words)}
        needed = [slots for word, slots in having.items() if weight(word) > lacking]
        slots = min(needed, key=len, default=_NONE)
        if not needed or len(slots) > FEW:
            common = np.bincount(np.concatenate([*having.values()]), minlength=len(self._texts))
            slots = np.flatnonzero(common >= max(1, len(having) - lacking)).astype(np.uint32)
        # Words that one text has more of are words apart: where they are too many, none need be compared.
        counts = np.frombuffer(self._words, np.uint32)[slots]
        able = 2 * np.minimum(counts, len(words)) >= NEAR * (counts + len(words))
        return [int(slot) for slot in slots[able]]

    def _slots_of(self, word: str) -> NDArray[np.uint32]:
        """The slots of a word and of those that are the same but for a slip."""
        twins = self._twins[word] if word in self._twins else self._alike(word)
        return np.concatenate([np.frombuffer(self._having[one], np.uint32) for one in twins] or [_NONE])

    def _learn(self, word: str) -> None:
        self._having[word] = array("I")
        self._twins[word] = [word, *self._alike(word)]
        for twin in self._twins[word][1:]:
            self._twins[twin].append(word)
        for variant in variants(word):
            self._spelt[variant].append(word)

    def _alike(self, word: str) -> list[str]:
        """The known words that are another one's slip."""
        near = {one for variant in variants(word) for one in self._spelt.get(variant, ())}
        return [one for one in near if slip(word, one)]


def missing(count: int) -> int:
    """How many of so many words a near text can lack: the most for which 2 (count - m) / (2 (count - m) + m) ≥ NEAR."""
    return int(2 * (1 - NEAR) * count / (2 - NEAR) + 1e-9)


def weight(word: str) -> int:
    """How many words apart two texts are where only one has this word (see `share`)."""
    return NUMBER_WEIGHT if word.isdecimal() else 1


def variants(word: str) -> set[str]:
    """A word, and without each of its letters: of two that are a slip apart one is among both's. None where none is."""
    if len(word) < SHORTEST_SLIP or not _SPELT.fullmatch(word):
        return set()
    return {word} | {word[:at] + word[at + 1 :] for at in range(len(word))}


def trigrams(words: ContentWords) -> set[str]:
    """Of each word with its edges, so that a short word counts as well."""
    return {padded[at : at + 3] for word in words for padded in (f" {word} ",) for at in range(len(padded) - 2)}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a row."""

    row_id: str
    text: str
    slot: int
    group: str
    category: str
    train: bool
    counts: bool
    """It is not withdrawn."""


class RowNeighbours:
    """`ports.Neighbours` over the rows of a store, brought up to date before each answer.

    Never ask it within a transaction: it opens its own.
    """

    def __init__(self, store: Store, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._now = now
        self._index = Index()
        self._known: dict[str, _Known] = {}
        self._at: defaultdict[int, dict[str, _Known]] = defaultdict(dict)
        self._mates: list[list[int]] = []
        """Slot → the slots of nearly same texts."""
        self._clusters = Clusters(self._mates.__getitem__)
        self._since: datetime | None = None
        self._moved_at = self._read_at = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def near(self, text: str) -> list[Neighbour]:
        """See the port."""
        async with self._one_at_a_time:
            await self._refresh()
            return [_neighbour(row, likeness) for row, likeness in self._near(text) if row.counts]

    async def nearest(self, text: str, k: int, *, without: Collection[str] = ()) -> list[Neighbour]:
        """See the port."""
        found: list[Neighbour] = []
        async with self._one_at_a_time:
            await self._refresh()
            contested = self._clusters.contested()
            for slot, likeness in self._index.alike(text):
                if len(found) >= k:
                    break
                rows = [row for row in self._at[slot].values() if row.counts and row.train and row.group not in without]
                newest = rows[-1] if rows else None
                if newest and newest.group not in contested:
                    found.append(_neighbour(newest, likeness))
        return found

    async def groups(self, texts: Sequence[str]) -> list[str]:
        """See the port."""
        async with self._one_at_a_time:
            await self._refresh()
            return await asyncio.to_thread(self._join, texts)

    async def conflicts(self) -> list[Conflict]:
        """See the port."""
        async with self._one_at_a_time:
            await self._refresh()
            return sorted(set(self._clusters.contested().values()), key=lambda one: one.key)

    async def cluster(self, group: str) -> list[str]:
        """See the port."""
        async with self._one_at_a_time:
            await self._refresh()
            return sorted(self._clusters.cluster(group))

    async def contested(self, rows: Sequence[Row]) -> set[str]:
        """See the port."""
        async with self._one_at_a_time:
            await self._refresh()
            return await asyncio.to_thread(self._contested, rows)

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        """See the port."""
        if len(these) > len(those):  # fewer questions to a larger index are faster
            return sorted((i, j) for j, i in self.pairs(those, these))
        index = Index()
        places: defaultdict[int, list[int]] = defaultdict(list)
        for j, text in enumerate(those):
            places[index.slot(text)].append(j)
        return sorted((i, j) for i, text in enumerate(these) for slot, _ in index.near(text) for j in places[slot])

    async def refresh(self) -> None:
        """Take over what changed. The first time that is every row, seconds for 100,000: do it before the start."""
        async with self._one_at_a_time:
            await self._refresh()

    async def _refresh(self) -> None:
        async with self._store.snapshot() as tx:
            began = self._now()
            # Until one reading began so long after the newest row came, an older one may still come.
            late = self._read_at - self._moved_at < LATE_COMMIT.total_seconds()
            since = self._since - LATE_COMMIT if self._since and late else self._since
            changed = [(row, counts) async for row, counts in tx.rows.changed(since)]
        if changed:
            await asyncio.to_thread(self._take, changed)
        self._read_at = began

    def _take(self, changed: Iterable[tuple[Row, bool]]) -> None:
        for row, counts in changed:
            if self._since is None or row.settled_at > self._since:
                self._since, self._moved_at = row.settled_at, self._now()
            slot = self._slot(row.text)
            known = _Known(row.id, row.text, slot, row.group, row.category, row.split is Split.TRAIN, counts)
            before = self._known.get(row.id)
            if before == known:
                continue
            if before:
                del self._at[before.slot][row.id]
                if before.counts:
                    self._clusters.remove(before.group, before.slot, before.category)
            self._known[row.id] = self._at[slot][row.id] = known
            if counts:
                self._clusters.add(row.group, slot, row.category)
        self._clusters.contested()  # now, beside the event loop: the first time it takes a while

    def _slot(self, text: str) -> int:
        slot = self._index.slot(text)
        if slot == len(self._mates):
            self._mates.append(sorted(self._index.beside(slot)))
            for mate in self._mates[slot]:
                self._mates[mate].append(slot)
        return slot

    def _contested(self, rows: Sequence[Row]) -> set[str]:
        clusters = Clusters(self._mates.__getitem__)
        for row in rows:
            clusters.add(row.group, self._slot(row.text), row.category)
        return set(clusters.contested())

    def _near(self, text: str) -> list[tuple[_Known, float]]:
        """The nearest first; of equally near ones those that count, then by id."""
        found = [(row, likeness) for slot, likeness in self._index.near(text) for row in self._at[slot].values()]
        return sorted(found, key=lambda one: (-one[1], not one[0].counts, one[0].row_id))

    def _join(self, texts: Sequence[str]) -> list[str]:
        batch, joined = Index(), dict[int, str]()
        groups = []
        for text in texts:
            settled = [(-likeness, row.group) for row, likeness in self._near(text)[:1]]
            beside = [(-likeness, joined[slot]) for slot, likeness in batch.near(text)[:1]]
            group = min(settled + beside, key=lambda one: one[0], default=(0.0, group_of(text)))[1]
            joined.setdefault(batch.slot(text), group)
            groups.append(group)
        return groups


def _neighbour(row: _Known, similarity: float) -> Neighbour:
    return Neighbour(row_id=row.row_id, text=row.text, group=row.group, category=row.category, similarity=similarity)
