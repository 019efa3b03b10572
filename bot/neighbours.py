"""Settled rows by likeness, in memory: an index that follows the rows of the record."""

import asyncio
import re
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, Indel

from bot.domain.dataset import Row, Split, group_of, normalised
from bot.domain.similar import FAR, NEAR, Neighbour, Words, content, share
from bot.ports import Store

OVERLAP = timedelta(seconds=15)
"""How long after its moment another replica's row may still be committed, or how far its clock is behind."""
SHORTEST_SLIP = 5
"""Letters of a word in which one may be wrong; of shorter ones too many are words of their own."""
FAINTEST = 0.5
"""The least likeness of nearly same texts: what is less alike is not compared word by word."""
TOP = 100
"""How many of the most alike texts are put in order at once."""

_SPELT = re.compile(r"[a-z]+|[\u3040-\u30ff]+")


def slip(one: str, other: str) -> bool:
    """Whether two words are the same but for one letter, or two that changed places. A kanji is no letter."""
    if min(len(one), len(other)) < SHORTEST_SLIP or not (_SPELT.fullmatch(one) and _SPELT.fullmatch(other)):
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


class Index:
    """Texts by the trigrams of their content words; a text has one slot, whatever way it is written. Slots stay."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._texts: list[str] = []
        self._contents: list[Words] = []
        self._joined: defaultdict[str, list[int]] = defaultdict(list)
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
        return found

    def near(self, text: str) -> list[tuple[int, float]]:
        """The slots of nearly same texts and their similarity, the nearest first."""
        words = content(text)
        return self._near(normalised(text), words, self._likeness(words))

    def alike(self, text: str) -> Iterator[tuple[int, float]]:
        """The slots that have any trigram in common with a text and their similarity, the most alike first."""
        words = content(text)
        likeness = self._likeness(words)
        near = self._near(normalised(text), words, likeness)
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

    def _likeness(self, words: Words) -> NDArray[np.float64]:
        """For each slot the share of trigrams in common, 0..1 (Dice's coefficient)."""
        grams = trigrams(words)
        hits = [np.frombuffer(self._postings[gram], np.uint32) for gram in grams if gram in self._postings]
        if not hits:
            return np.zeros(len(self._texts))
        common = np.bincount(np.concatenate(hits), minlength=len(self._texts))
        return 2 * common / (np.frombuffer(self._grams, np.uint32) + len(grams))

    def _near(self, plain: str, words: Words, likeness: NDArray[np.float64]) -> list[tuple[int, float]]:
        if not self._texts:
            return []
        # Words that one text has more of are words apart: where they are too many, none need be compared.
        counts = np.frombuffer(self._words, np.uint32)
        able = 2 * np.minimum(counts, len(words)) >= NEAR * (counts + len(words))
        candidates = np.flatnonzero(able & (likeness >= FAINTEST)).tolist()
        found = {slot for slot in candidates if share(words, self._contents[slot], slip) >= NEAR}
        found.update(self._joined.get("".join(words), ()))
        ranked = {slot: NEAR + (1 - NEAR) * Indel.normalized_similarity(plain, self._texts[slot]) for slot in found}
        if plain in self._slots:
            ranked[self._slots[plain]] = 1.0
        return sorted(ranked.items(), key=lambda one: (-one[1], one[0]))


def trigrams(words: Words) -> set[str]:
    """Of each word with its edges, so that a short word counts as well."""
    return {padded[at : at + 3] for word in words for padded in (f" {word} ",) for at in range(len(padded) - 2)}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a row."""

    row_id: str
    text: str
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
        self._labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
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
            for slot, likeness in self._index.alike(text):
                if len(found) >= k:
                    break
                rows = [row for row in self._at[slot].values() if row.counts and row.train and row.group not in without]
                newest = rows[-1] if rows else None
                if newest and len(self._labels[newest.group]) == 1:
                    found.append(_neighbour(newest, likeness))
        return found

    async def groups(self, texts: Sequence[str]) -> list[str]:
        """See the port."""
        async with self._one_at_a_time:
            await self._refresh()
            return await asyncio.to_thread(self._join, texts)

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
        async with self._store.transaction() as tx:
            began = self._now()
            # Until one reading began so long after the newest row came, an older one may still come.
            late = self._read_at - self._moved_at < OVERLAP.total_seconds()
            since = self._since - OVERLAP if self._since and late else self._since
            changed = [(row, counts) async for row, counts in tx.rows.changed(since)]
        if changed:
            await asyncio.to_thread(self._take, changed)
        self._read_at = began

    def _take(self, changed: Iterable[tuple[Row, bool]]) -> None:
        for row, counts in changed:
            if self._since is None or row.settled_at > self._since:
                self._since, self._moved_at = row.settled_at, self._now()
            known = _Known(row.id, row.text, row.group, row.category, row.split is Split.TRAIN, counts)
            before = self._known.get(row.id)
            if before == known:
                continue
            if before:
                del self._at[self._index.slot(before.text)][row.id]
                self._label(before, -1)
            self._known[row.id] = self._at[self._index.slot(row.text)][row.id] = known
            self._label(known, 1)

    def _label(self, known: _Known, n: int) -> None:
        if known.counts:
            labels = self._labels[known.group]
            labels[known.category] += n
            if not labels[known.category]:
                del labels[known.category]

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
