"""Settled rows by likeness: an in-memory index that follows the rows of the store."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.conflict import Clusters, Conflict
from bot.domain.dataset import Row, group_of
from bot.domain.gain import Likenesses
from bot.domain.similar import Neighbour, SameQuestion, content, is_same_question
from bot.ports import Store, TextEncoder
from bot.similarity.index import Index, is_typo
from bot.similarity.meanings import Meanings
from bot.similarity.open_texts import OpenTexts

LATE_COMMIT = timedelta(seconds=15)
"""How long after its `settled_at` another replica's row may still appear: a slow commit, or a clock that is behind."""


@dataclass(frozen=True, slots=True)
class _IndexedRow:
    """The part of a row that the index keeps."""

    row_id: str
    text: str
    slot: int
    group: str
    category: str
    counts: bool
    """False for a withdrawn row."""


class RowNeighbours:
    """`ports.Neighbours` over the rows of a store; the port describes the methods.

    The asynchronous methods first read the rows that changed, in a transaction of their own. So never call them within
    a transaction.

    Args:
        store: where the rows are kept.
        now: a monotonic clock in seconds.
        encoder: the encoder of questions; without one, likeness is by words alone.
    """

    def __init__(
        self, store: Store, now: Callable[[], float] = time.monotonic, *, encoder: TextEncoder | None = None
    ) -> None:
        self._meanings = Meanings(encoder)
        self._store = store
        self._now = now
        self._index = Index()
        self._open = OpenTexts(self._index, self._meanings)
        self._rows: dict[str, _IndexedRow] = {}
        self._rows_by_slot: defaultdict[int, dict[str, _IndexedRow]] = defaultdict(dict)
        self._near_slots: list[list[int]] = []
        """Slot → the slots of the other nearly same texts."""
        self._clusters = Clusters(self._near_slots.__getitem__)
        self._newest: datetime | None = None
        """The `settled_at` of the newest row that was read."""
        self._newest_read_at = 0.0
        """When that row was first read, by `now`."""
        self._read_began_at = 0.0
        """When the last read began, by `now`."""
        self._lock = asyncio.Lock()

    async def near(self, text: str) -> list[Neighbour]:
        async with self._lock:
            await self._refresh()
            return [_neighbour(row, likeness) for row, likeness in self._near(text) if row.counts]

    async def same(self, text: str, known: Collection[str]) -> SameQuestion | None:
        async with self._lock:
            await self._refresh()
            near = [row for row, _ in self._near(text) if row.counts]
            asked = [row for row in near if self._asks_the_same(row.text, text, known)]
            if not asked:
                return None
            groups: set[str] = set()
            for row in near:
                groups |= set() if row.group in groups else self._clusters.cluster(row.group)
        return SameQuestion(texts={row.row_id: row.text for row in asked}, groups=tuple(sorted(groups)))

    async def nearest(self, text: str, k: int, *, without: Collection[str] = ()) -> list[Neighbour]:
        found: list[Neighbour] = []
        async with self._lock:
            await self._refresh()
            self._open.note(await self._meanings.encode_waiting())
            contested = self._clusters.contested()
            joined = await self._meanings.joined(text, self._index.likeness(text))
            for slot, likeness in self._index.ranked(text, joined):
                if len(found) >= k:
                    break
                rows = [row for row in self._rows_by_slot[slot].values() if row.counts and row.group not in without]
                newest = rows[-1] if rows else None
                if newest and newest.group not in contested:
                    found.append(_neighbour(newest, likeness))
        return found

    async def likenesses(self, texts: Sequence[str]) -> Likenesses:
        async with self._lock:
            await self._refresh()
            self._open.note(await self._meanings.encode_waiting())
            await self._open.encode(texts)
            contested = self._clusters.contested()

            def counts(slot: int) -> bool:
                return any(row.counts and row.group not in contested for row in self._rows_by_slot[slot].values())

            settled, between = await asyncio.to_thread(self._open.likeness, texts, counts)
        return Likenesses(settled=settled, between=between)

    async def groups(self, texts: Sequence[str]) -> list[str]:
        async with self._lock:
            await self._refresh()
            return await asyncio.to_thread(self._assign_groups, texts)

    async def conflicts(self) -> list[Conflict]:
        async with self._lock:
            await self._refresh()
            return sorted(set(self._clusters.contested().values()), key=lambda one: one.key)

    async def cluster(self, group: str) -> list[str]:
        async with self._lock:
            await self._refresh()
            return sorted(self._clusters.cluster(group))

    async def contested(self, rows: Sequence[Row]) -> set[str]:
        async with self._lock:
            await self._refresh()
            return await asyncio.to_thread(self._contested, rows)

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        if len(these) > len(those):  # fewer look-ups in a larger index are faster
            return sorted((i, j) for j, i in self.pairs(those, these))
        index = Index()
        places: defaultdict[int, list[int]] = defaultdict(list)
        for j, text in enumerate(those):
            places[index.slot(text)].append(j)
        return sorted((i, j) for i, text in enumerate(these) for slot, _ in index.near(text) for j in places[slot])

    async def refresh(self) -> None:
        """Read the rows that changed.

        The first call reads every row, which takes seconds for 100,000 rows: make it before the app starts.
        """
        async with self._lock:
            await self._refresh()

    async def _refresh(self) -> None:
        async with self._store.snapshot() as tx:
            began = self._now()
            # An older row may still be committed: re-read the overlap until a read starts LATE_COMMIT after the newest.
            overlap = self._read_began_at - self._newest_read_at < LATE_COMMIT.total_seconds()
            since = self._newest - LATE_COMMIT if self._newest and overlap else self._newest
            changed = [(row, counts) async for row, counts in tx.rows.changed(since)]
        if changed:
            await asyncio.to_thread(self._apply, changed)
        self._read_began_at = began

    def _apply(self, changed: Iterable[tuple[Row, bool]]) -> None:
        for row, counts in changed:
            if self._newest is None or row.settled_at > self._newest:
                self._newest, self._newest_read_at = row.settled_at, self._now()
            slot = self._slot(row.text)
            after = _IndexedRow(row.id, row.text, slot, row.group, row.category, counts)
            before = self._rows.get(row.id)
            if before == after:
                continue
            if before:
                del self._rows_by_slot[before.slot][row.id]
                if before.counts:
                    self._clusters.remove(before.group, before.slot, before.category)
            self._rows[row.id] = self._rows_by_slot[slot][row.id] = after
            if counts:
                self._clusters.add(row.group, slot, row.category)
                self._open.note([slot])
        self._clusters.contested()  # computed here, off the event loop, because the first time takes long

    def _slot(self, text: str) -> int:
        slot = self._index.slot(text)
        if slot == len(self._near_slots):
            self._meanings.add(slot, text)
            self._near_slots.append(sorted(self._index.beside(slot)))
            for other in self._near_slots[slot]:
                self._near_slots[other].append(slot)
        return slot

    def _contested(self, rows: Sequence[Row]) -> set[str]:
        clusters = Clusters(self._near_slots.__getitem__)
        for row in rows:
            clusters.add(row.group, self._slot(row.text), row.category)
        return set(clusters.contested())

    def _near(self, text: str) -> list[tuple[_IndexedRow, float]]:
        """Return near rows, the nearest first; among equally near rows those that count, then by id."""
        found = [
            (row, likeness) for slot, likeness in self._index.near(text) for row in self._rows_by_slot[slot].values()
        ]
        return sorted(found, key=lambda one: (-one[1], not one[0].counts, one[0].row_id))

    def _asks_the_same(self, settled: str, asked: str, known: Collection[str]) -> bool:
        """Return whether two texts ask the same. A word that people know is no typo, however near another word is."""

        def same(one: str, other: str) -> bool:
            typed, word = (one, other) if one in words else (other, one)
            return is_typo(word, typed) and typed not in known and not self._index.knows(typed)

        words = frozenset(content(asked))
        return is_same_question(settled, asked, same)

    def _assign_groups(self, texts: Sequence[str]) -> list[str]:
        batch, joined = Index(), dict[int, str]()
        groups = []
        for text in texts:
            settled = [(-likeness, row.group) for row, likeness in self._near(text)[:1]]
            beside = [(-likeness, joined[slot]) for slot, likeness in batch.near(text)[:1]]
            group = min(settled + beside, key=lambda one: one[0], default=(0.0, group_of(text)))[1]
            joined.setdefault(batch.slot(text), group)
            groups.append(group)
        return groups


def _neighbour(row: _IndexedRow, similarity: float) -> Neighbour:
    return Neighbour(row_id=row.row_id, text=row.text, group=row.group, category=row.category, similarity=similarity)
