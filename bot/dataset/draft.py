"""A training file in the making: it reads all rows twice and holds none of them, only a few numbers for each."""

from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bot.domain.dataset import (
    PRIVATE,
    SET_ASIDE,
    SPECIAL_TOKENS,
    Manifest,
    Row,
    Source,
    Split,
    example,
    most_first,
)
from bot.domain.prompt import Prompt
from bot.similarity.packed import Packed

_TRAIN, _PUBLIC, _ASIDE, _SPECIAL = 1, 2, 4, 8


class Draft:
    """The choice of a training file's rows, and its lines. Held-out rows are counted but never written.

    The manifest counts the rows that are left out, by reason. A row is left out if its text is repeated, its category
    is not in the prompt, or it holds a special token. So are rows in conflict, and training rows with a held-out
    near-duplicate.

    Args:
        prompt: The system message.
        private: Whether the file may hold rows that not everybody may read. If not, they are left out first, so that
            none of them takes the place of a public row with the same text.
        aside: Ids of rows that are set aside, which take no other row's place either.
    """

    def __init__(self, prompt: Prompt, *, private: bool = True, aside: Container[str] = ()) -> None:
        self._prompt = prompt
        self._private = private
        self._aside = aside
        self._categories: dict[str, int] = {}
        self._ids = Packed()
        self._last_group: str | None = None
        self._groups, self._category_numbers, self._settled = array("I"), array("I"), array("d")
        self._flags = bytearray()
        self._left_out: Counter[str] = Counter()
        self._held_out = 0
        self._kept: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._read_again = 0
        self._counts: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._settlers: dict[str, Counter[str]] = {}

    def see(self, rows: Iterable[Row]) -> None:
        """Add the next rows; they must come in order of group, then id."""
        for row in rows:
            if row.group != self._last_group:
                self._last_group = row.group
                self._groups.append(self._groups[-1] + 1 if self._groups else 0)
            else:
                self._groups.append(self._groups[-1])
            self._ids.append(row.id)
            self._category_numbers.append(self._categories.setdefault(row.category, len(self._categories)))
            self._settled.append(row.settled_at.timestamp())
            said = f"{row.text}\n{row.reason or ''}"
            self._flags.append(
                _TRAIN * (row.split is Split.TRAIN)
                | _PUBLIC * row.public
                | _ASIDE * (row.id in self._aside)
                | _SPECIAL * ("<|" in said and any(token in said for token in SPECIAL_TOKENS))
            )

    @property
    def groups(self) -> NDArray[np.uint32]:
        """The group of each row, numbered from 0."""
        return np.array(self._groups, np.uint32)

    @property
    def categories(self) -> NDArray[np.uint32]:
        """The number of each row's category."""
        return np.array(self._category_numbers, np.uint32)

    @property
    def trained(self) -> NDArray[np.bool_]:
        """Whether each row is for training; the others are held out."""
        return self._flagged(_TRAIN)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether each row is in the file."""
        return self._kept

    def _flagged(self, flag: int) -> NDArray[np.bool_]:
        return np.asarray(np.frombuffer(bytes(self._flags), np.uint8) & flag != 0)

    def decide(self, texts: NDArray[np.uint32], contested: NDArray[np.bool_], near_held_out: NDArray[np.bool_]) -> None:
        """Decide which rows are kept.

        Args:
            texts: The number of each row's text, the same for texts that are equal once normalised.
            contested: Which rows are in groups in conflict.
            near_held_out: Which rows are near-duplicates of a held-out one.
        """
        trained, aside = self.trained, self._flagged(_ASIDE)
        readable = (self._flagged(_PUBLIC) | self._private) & ~aside
        few_read = ~readable & ~aside
        unique = self._newest(texts, readable)
        known = np.array([self._prompt.category(category) is not None for category in self._categories], np.bool_)
        rest = unique.copy()
        for why, which in (
            ("unknown_category", ~known[self.categories] if len(known) else rest),
            ("special_token", self._flagged(_SPECIAL)),
            ("conflict", contested),
            ("held_out", ~trained),
            ("near_held_out", near_held_out),
        ):
            self._left_out[why] = int((rest & which).sum())
            rest &= ~which
        held_out_in_private = int((few_read & ~trained).sum())
        self._held_out = self._left_out.pop("held_out") + held_out_in_private
        self._left_out["duplicate"] = int(readable.sum() - unique.sum())
        self._left_out[PRIVATE] = int(few_read.sum()) - held_out_in_private
        self._left_out[SET_ASIDE] = int((aside & trained).sum())
        self._kept = rest

    def _newest(self, texts: NDArray[np.uint32], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of these rows are the newest of their text and category; the last id among equally new ones."""
        at = np.flatnonzero(among)
        kinds = texts[at].astype(np.uint64) << np.uint64(32) | self.categories[at]
        settled = np.frombuffer(self._settled)[at]
        order = np.lexsort((settled, kinds))
        tied = np.flatnonzero((np.diff(kinds[order]) == 0) & (np.diff(settled[order]) == 0))
        if len(tied):
            by_id = sorted({*order[tied].tolist(), *order[tied + 1].tolist()}, key=lambda one: self._ids[int(at[one])])
            ranks = np.zeros(len(at), np.uint32)
            ranks[by_id] = np.arange(len(by_id))
            order = np.lexsort((ranks, settled, kinds))
        last = np.ones(len(at), np.bool_)
        last[:-1] = np.diff(kinds[order]) != 0
        found = np.zeros(len(among), np.bool_)
        found[at[order[last]]] = True
        return found

    def lines(self, rows: Iterable[Row]) -> Iterator[tuple[Row, bytes]]:
        """Yield those of the next rows that the file holds, and their lines. They come again in the same order."""
        for row in rows:
            self._read_again += 1
            category = self._prompt.category(row.category)
            if not self._kept[self._read_again - 1] or category is None:
                continue
            self._counts[row.category] += 1
            self._sources[row.source.value] += 1
            if row.source is not Source.IMPORT:
                self._settlers.setdefault(row.by, Counter())[row.category] += 1
            yield row, f"{example(self._prompt, row, category)}\n".encode()

    def manifest(self, sha256: str, size: int) -> Manifest:
        """Return the manifest of the file, given its sha256 (hexadecimal) and its size in bytes."""
        return Manifest(
            id=sha256,
            prompt_id=self._prompt.id,
            rows=int(self._kept.sum()),
            held_out=self._held_out,
            per_category=dict(sorted(self._counts.items())),
            sources=dict(sorted(self._sources.items())),
            left_out={why: n for why, n in sorted(self._left_out.items()) if n},
            bytes=size,
            settlers=most_first(self._settlers),
        )
