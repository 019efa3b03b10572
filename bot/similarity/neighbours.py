"""Settled rows by likeness: an in-memory index that follows the rows of the store."""

import asyncio
import math
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter

from bot.domain.conflict import Clusters, Conflict, RowClusters
from bot.domain.dataset import Row, group_of
from bot.domain.forgetting import FORGOTTEN_CURSOR, FORGOTTEN_PREFIX
from bot.domain.gain import Likenesses
from bot.domain.similar import Neighbour, SameQuestion, content, is_same_question
from bot.domain.uncancelled import in_thread
from bot.ports import RowChanges, Store, TextEncoder, Transaction
from bot.ports.progress import Progress, unheard
from bot.similarity.compared_texts import ComparedTexts, TextNumbers
from bot.similarity.freed import give_back
from bot.similarity.index import Index
from bot.similarity.indexed_rows import IndexedRow, IndexedRows
from bot.similarity.kept import KEPT_FROM, KEPT_SHARE, KeptFacts, maker, store_parts
from bot.similarity.meanings import Meanings, TextVectors
from bot.similarity.open_texts import OpenTexts
from bot.similarity.packed import Bytes, Parts, joined_parts, member_parts
from bot.similarity.typos import is_typo

LATE_COMMIT = timedelta(seconds=15)
"""How long after its `settled_at` another replica's row may still appear: a slow commit, or a clock that is behind."""
ROWS_APPLIED = 100
"""Most rows that are indexed at once: so long, a caller that is cancelled waits for the thread that indexes them."""

READ_BESIDE = 100
"""Most changed rows that are read in another transaction, whose reader waits for them and for nothing else."""


class RowNeighbours:
    """`ports.Neighbours` over the rows of a store; the port describes the methods.

    The asynchronous methods first read the rows that changed, in a transaction of their own. So never call them within
    a transaction.

    Args:
        store: Where the rows are kept.
        now: A monotonic clock in seconds.
        encoder: The encoder of questions; without one, likeness is by words alone.
        encoder_name: The encoder's name; vectors that another one made are not read.
        private: Whether the encoder gets rows, too, that not everybody may read.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float] = time.monotonic,
        *,
        encoder: TextEncoder | None = None,
        encoder_name: str = "",
        private: bool = True,
    ) -> None:
        self._private = private
        self._encoder = encoder
        self._encoder_name = encoder_name
        self._store = store
        self._now = now
        self._forgotten: str | None = None
        """The position of FORGOTTEN_CURSOR at the last read."""
        self._lock = asyncio.Lock()
        self._reads, self._newest_read = 0, 0
        """The number of reads that began, and the newest of them that ended with all changes indexed."""
        self._is_whole = False
        """Whether the last read that began came to its end."""
        self._clear()

    def _clear(self, earlier: ComparedTexts | None = None) -> None:
        """Hold nothing, so that the next read brings every row again, and no word of a forgotten one is left.

        Args:
            earlier: Texts that need no comparison if they come again. They are held until that read has ended.
        """
        self._index, self._rows = Index(), IndexedRows()
        self._meanings = Meanings(self._encoder, partial(_text_of, self._index, self._rows))
        self._open = OpenTexts(self._index, self._meanings)
        self._texts = ComparedTexts(self._index, self._meanings, private=self._private, earlier=earlier)
        self._clusters = RowClusters(self._rows, self._texts.beside)
        self._sought = False
        """Whether a kept index was looked for."""
        self._stale = False
        """Whether something is kept that is not to be read any more."""
        self._unkept = 0
        """The number of changes that are not in the kept index."""
        self._written: dict[str, datetime] = {}
        """Id → `settled_at` of rows that were indexed when this process wrote them, as far as they are read again."""
        self._newest: datetime | None = None
        """The `settled_at` of the newest row that was read."""
        self._newest_read_at = 0.0
        """When that row was first read, by `now`."""
        self._read_began_at = 0.0
        """When the last read began, by `now`."""
        self._overlap_read_at = -math.inf
        """When the last whole read began that left no overlap out, by `now`."""

    async def near(self, text: str) -> list[Neighbour]:
        (found,) = await self.near_each([text])
        return found

    async def near_each(self, texts: Sequence[str]) -> list[list[Neighbour]]:
        def near(text: str) -> list[Neighbour]:
            return [_neighbour(row, likeness) for row, likeness in self._near(text) if row.counts]

        async with self._fresh():
            if len(texts) == 1:
                return [near(texts[0])]
            return await in_thread(lambda: [near(text) for text in texts])

    async def changes(self, tx: Transaction) -> RowChanges | None:
        began, found, forgotten = self._now(), list[tuple[Row, bool]](), self._forgotten
        # The first read takes every row, and so does one after something was forgotten.
        if not self._read_began_at or await tx.cursors.get(FORGOTTEN_CURSOR) != forgotten:
            return None
        async for change in tx.rows.changed(self._since()):
            found.append(change)
            if len(found) > READ_BESIDE:
                return None
        return RowChanges(began, found, forgotten)

    async def same(self, text: str, known: Collection[str], changes: RowChanges | None = None) -> SameQuestion | None:
        async with self._lock:
            await self._follow(changes)
            near = [row for row, _ in self._near(text) if row.counts]
            asked = [row for row in near if self._asks_the_same(row.text, text, known)]
            if not asked:
                return None
            groups: set[str] = set()
            for row in near:
                groups |= set() if row.group in groups else self._clusters.cluster(row.group)
        return SameQuestion(texts={row.row_id: row.text for row in asked}, groups=tuple(sorted(groups)))

    async def nearest(self, text: str, k: int, *, without: Collection[str] = ()) -> list[Neighbour]:
        async with self._fresh():
            await self._encode_waiting()
            (vector,) = await self._meanings.searched([text])
            return self._ranked_rows(text, vector, k, without)

    async def nearest_apart(self, rows: Sequence[Row], k: int) -> list[list[Neighbour]]:
        def search() -> list[list[Neighbour]]:
            near = ({row.group, *(one.group for one, _ in self._near(row.text) if one.counts)} for row in rows)
            asked = zip(rows, vectors, near, strict=True)
            return [self._ranked_rows(row.text, vector, k, groups) for row, vector, groups in asked]

        async with self._fresh():
            await self._encode_waiting()
            vectors = await self._meanings.searched([row.text for row in rows])
            return await in_thread(search)

    def _ranked_rows(self, text: str, vector: TextVectors | None, k: int, without: Collection[str]) -> list[Neighbour]:
        found: list[Neighbour] = []
        contested = self._clusters.contested()
        joined = self._meanings.joined(vector, self._index.likeness(text))
        for slot, likeness in self._index.ranked(text, joined):
            if len(found) >= k:
                break
            rows = [row for row in self._rows.of_slot(slot) if row.counts and row.group not in without]
            newest = rows[-1] if rows else None
            if newest and newest.group not in contested:
                found.append(_neighbour(newest, likeness))
        return found

    async def repeated(self, reason: str) -> list[str]:
        async with self._lock:
            # A model can repeat only what it was shown or trained on, and neither is newer than the last read.
            if self._now() - self._read_began_at >= LATE_COMMIT.total_seconds():
                await self._refresh()
            return await in_thread(self._rows.sharing, reason)

    async def likenesses(self, texts: Sequence[str], public: Sequence[bool]) -> Likenesses:
        async with self._fresh():
            await self._encode_waiting()
            await self._open.encode([text for text, read in zip(texts, public, strict=True) if read or self._private])
            contested = self._clusters.contested()

            def counts(slot: int) -> bool:
                return any(row.counts and row.group not in contested for row in self._rows.of_slot(slot))

            settled, between = await in_thread(self._open.likeness, texts, counts)
        return Likenesses(settled=settled, between=between)

    async def groups(self, texts: Sequence[str], changes: RowChanges | None = None) -> list[str]:
        many = len(texts) > 1
        if changes is not None:
            async with self._lock:
                await self._follow(changes)
                return self._assign_group(texts)
        async with self._fresh(many=many):
            return await in_thread(self._assign_groups if many else self._assign_group, texts)

    async def written(self, rows: Sequence[Row]) -> None:
        async with self._lock:
            if self._read_began_at:  # otherwise the first read will bring these rows
                await in_thread(self._index_written, rows)

    def _index_written(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if not self._rows.recent.is_known(row, counts=True):
                self._put(row, counts=True)
            self._written[row.id] = row.settled_at

    async def conflicts(self) -> list[Conflict]:
        async with self._fresh():
            found = {one.key: one for one in self._clusters.contested().values()}
            return [found[key] for key in sorted(found)]

    async def cluster(self, group: str) -> list[str]:
        async with self._fresh():
            return sorted(self._clusters.cluster(group))

    async def contested(self, rows: Sequence[Row]) -> set[str]:
        async with self._fresh():
            return await in_thread(self._contested, rows)

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        return self._texts.pairs(these, those)

    async def numbered(self) -> TextNumbers:
        async with self._fresh():
            return TextNumbers(self._texts, self._lock)

    async def refresh(self, report: Progress = unheard) -> None:
        """Read the rows that changed.

        The first call reads every row, which takes seconds for 100,000 rows: make it before the app starts.
        """
        async with self._fresh(report=report):
            pass

    async def encode(self) -> None:
        """Encode all texts that wait, so that no question does it before its search."""
        encoded = True
        while encoded:
            async with self._lock:
                encoded = await self._encode_waiting()

    async def _encode_waiting(self) -> bool:
        """Encode the newest texts that wait; return whether there were any."""
        slots = await self._meanings.encode_waiting()
        self._open.note(slots)
        self._unkept += len(slots)
        return bool(slots)

    async def keep(self) -> None:
        """Store the index for the next start, if much of it is new."""
        async with self._fresh():
            fewest = max(KEPT_FROM, self._texts.count // KEPT_SHARE)
            if self._newest is None or (self._unkept < fewest and not self._stale):
                return
            parts, forgotten = await in_thread(self._parts, self._newest), self._forgotten
            self._unkept, self._stale = 0, False
        await store_parts(self._store, parts, forgotten)
        del parts
        await in_thread(give_back)

    def _parts(self, newest: datetime) -> dict[str, Bytes]:
        facts = KeptFacts(
            newest=newest,
            compared=self._texts.count,
            forgotten=self._forgotten,
            encoder=self._encoder_name,
            conflicts=tuple({one.key: one for one in self._clusters.contested().values()}.values()),
        )
        parts = joined_parts(
            index=self._index.parts(),
            rows=self._rows.parts(),
            near=self._texts.near_slots.parts(),
            meanings=self._meanings.parts(),
        )
        return parts | {"facts": facts.model_dump_json().encode()}

    async def _seek(self, tx: Transaction) -> None:
        """Take over a kept index, so that only later changes are read."""
        parts: dict[str, Bytes] = {**await tx.index_parts.get(maker())}
        self._sought = True
        if parts:
            await in_thread(self._take, parts)
            await in_thread(give_back)

    def _take(self, parts: Parts) -> None:
        facts = KeptFacts.model_validate_json(bytes(parts["facts"]))
        # By a program that does not know of kept indexes; or with another encoder, since who may read what is not kept.
        if facts.forgotten != self._forgotten or (facts.encoder != self._encoder_name and not self._private):
            self._stale = True
            return
        self._index.take(member_parts("index", parts))
        self._rows.take(member_parts("rows", parts))
        self._texts.near_slots.take(member_parts("near", parts))
        self._texts.let_go()
        if facts.encoder == self._encoder_name:
            self._meanings.take(member_parts("meanings", parts))
        for slot in self._meanings.unknown(facts.compared) if self._private else ():
            self._meanings.add(slot, None)
        self._clusters.restore(facts.conflicts)
        self._texts.count = facts.compared
        self._newest, self._newest_read_at = facts.newest, self._now()

    @asynccontextmanager
    async def _fresh(self, *, many: bool = False, report: Progress = unheard) -> AsyncIterator[None]:
        """Hold the index, with all that changed before this call.

        Calls that wait for each other share a read: one that began after a call was made is as new as its own.

        Args:
            many: As in `_refresh`.
            report: As in `_refresh`.
        """
        before = self._reads
        async with self._lock:
            if self._newest_read <= before:
                await self._refresh(many=many, report=report)
            yield

    async def _refresh(self, *, many: bool = False, report: Progress = unheard) -> None:
        """Read the rows that changed.

        Args:
            many: Whether page after page is written now. The overlap is then read only every `LATE_COMMIT`, and no
                conflicts are looked for: both would take longer with each page.
            report: Is told how many rows are indexed, of how many.
        """
        began = self._now()
        self._reads += 1
        self._is_whole = False
        late = many and began - self._overlap_read_at < LATE_COMMIT.total_seconds()
        async with self._store.snapshot() as tx:
            await self._drop_forgotten(tx)
            if not self._sought:
                await self._seek(tx)
            written, since = self._written, self._since(overlap=not late)
            found = tx.rows.changed_beside(written, since) if written and since else tx.rows.changed(since)
            total = 0 if report is unheard else await tx.rows.count_changed(since)
            changed = await self._index_all(found, lambda done: report(done, max(done, total)))
        if changed and not many:
            # Computed here, off the event loop, because the first time takes long.
            await in_thread(self._clusters.contested)
        self._read_began_at = began
        self._is_whole = True
        self._texts.let_go()
        if not late:
            self._overlap_read_at = began
        self._forget_written()
        if not many:  # such a read may have skipped the overlap
            self._newest_read = self._reads

    async def _index_all(self, changes: AsyncIterable[tuple[Row, bool]], report: Callable[[int], object]) -> bool:
        """Index rows, some at a time; return whether there were any."""
        page: list[tuple[Row, bool]] = []
        done = 0
        async for change in changes:
            page.append(change)
            if len(page) == ROWS_APPLIED:
                await in_thread(self._apply, page)
                done += len(page)
                report(done)
                page = []
        if page:
            await in_thread(self._apply, page)
            done += len(page)
            report(done)
        return done > 0

    def _forget_written(self) -> None:
        """Note that the rows that this process wrote were passed by a read, which they are too old for by and by."""
        if self._written:
            newest = max(self._written.values())
            if self._newest is None or newest > self._newest:
                self._newest, self._newest_read_at = newest, self._now()
            first = self._newest - LATE_COMMIT
            self._written = {row_id: at for row_id, at in self._written.items() if at >= first}

    async def _follow(self, changes: RowChanges | None) -> None:
        """Index what was read elsewhere. Read everything that changed if that is not known, or may be too old."""
        if changes is None or not self._is_whole or changes.forgotten != self._forgotten:
            await self._refresh()
        elif changes.began >= self._read_began_at:  # otherwise a later read was indexed meanwhile
            if changes.rows:
                await in_thread(self._apply, changes.rows)
                await in_thread(self._clusters.contested)
            self._read_began_at = self._overlap_read_at = changes.began

    async def _drop_forgotten(self, tx: Transaction) -> None:
        """Drop everything if something was forgotten since the last read, but for which texts are near."""
        forgotten = await tx.cursors.get(FORGOTTEN_CURSOR)
        if forgotten != self._forgotten:
            self._clear(self._texts.earlier or self._texts)
            self._forgotten = forgotten

    def _since(self, *, overlap: bool = True) -> datetime | None:
        """Return the time from which changes are read; None reads every row.

        Args:
            overlap: False leaves out what was read before, although an older row may still be committed.
        """
        # Re-read the overlap until a read starts LATE_COMMIT after the newest.
        overlap = overlap and self._overlap_read_at - self._newest_read_at < LATE_COMMIT.total_seconds()
        if overlap:
            self._rows.recent.begin()
        return self._newest - LATE_COMMIT if self._newest and overlap else self._newest

    def _apply(self, changed: Iterable[tuple[Row, bool]]) -> None:
        for row, counts in changed:
            if row.group.startswith(FORGOTTEN_PREFIX):
                continue
            if self._newest is None or row.settled_at > self._newest:
                self._newest, self._newest_read_at = row.settled_at, self._now()
            if not self._rows.recent.is_known(row, counts=counts):
                self._put(row, counts=counts)

    def _put(self, row: Row, *, counts: bool) -> None:
        before, after = self._rows.put(row, self._texts.slot(row.text, public=row.public), counts=counts)
        self._rows.recent.add(row, counts=counts)
        self._meanings.let_go(after.slot)
        if before == after:
            return
        self._unkept += 1
        for one in (before, after):
            if one and one.counts:
                self._clusters.changed(one.group)
        if counts:
            self._open.note([after.slot])

    def _contested(self, rows: Sequence[Row]) -> set[str]:
        clusters = Clusters(self._texts.beside)
        for row in rows:
            clusters.add(row.group, self._texts.slot(row.text), row.category)
        return set(clusters.contested())

    def _near(self, text: str) -> list[tuple[IndexedRow, float]]:
        """Return near rows, the nearest first; among equally near rows those that count, then by id."""
        return self._rows_at(self._index.near(text))

    def _rows_at(self, slots: Iterable[tuple[int, float]]) -> list[tuple[IndexedRow, float]]:
        found = [(row, likeness) for slot, likeness in slots for row in self._rows.of_slot(slot)]
        return sorted(found, key=lambda one: (-one[1], not one[0].counts, one[0].row_id))

    def _nearest(self, slots: Iterable[tuple[int, float]]) -> list[tuple[IndexedRow, float]]:
        """Return the first of `_rows_at`, without a look at the slots behind it."""
        for _, alike in groupby(slots, key=itemgetter(1)):
            if found := self._rows_at(alike):
                return found[:1]
        return []

    def _asks_the_same(self, settled: str, asked: str, known: Collection[str]) -> bool:
        """Return whether two texts ask the same. A word that people know is no typo, however near another word is."""

        def same(one: str, other: str) -> bool:
            typed, word = (one, other) if one in words else (other, one)
            return is_typo(word, typed) and typed not in known and not self._index.knows(typed)

        words = frozenset(content(asked))
        return is_same_question(settled, asked, same)

    def _assign_group(self, texts: Sequence[str]) -> list[str]:
        """Return the group of each text as if it were the only one. The texts are not added to the index."""
        nearest = [self._nearest(self._index.near(text)) for text in texts]
        return [found[0][0].group if found else group_of(text) for text, found in zip(texts, nearest, strict=True)]

    def _assign_groups(self, texts: Sequence[str]) -> list[str]:
        """Return the groups of texts that become rows. They are added to the index, so that each is compared once."""
        joined: dict[int, tuple[int, str]] = {}
        """Slot → how many texts came before, and the group."""
        groups = []
        for text in texts:
            known = len(self._index)
            slot = self._texts.slot(text)
            compared = slot == known or self._index.says(slot, text)
            alike = self._index.ranked_beside(slot, self._texts.beside(slot)) if compared else self._index.near(text)
            settled = [(-likeness, row.group) for row, likeness in self._nearest(alike)]
            others = sorted((-likeness, *joined[other]) for other, likeness in alike if other in joined)
            before = [(likeness, group) for likeness, _, group in others[:1]]
            group = min(settled + before, key=lambda one: one[0], default=(0.0, group_of(text)))[1]
            joined.setdefault(slot, (len(joined), group))
            groups.append(group)
        return groups


def _text_of(index: Index, rows: IndexedRows, slot: int) -> str:
    return next((row.text for row in rows.of_slot(slot)), index.text(slot))


def _neighbour(row: IndexedRow, similarity: float) -> Neighbour:
    return Neighbour(row_id=row.row_id, text=row.text, group=row.group, category=row.category, similarity=similarity)
