"""Fakes of the outside that behave as their ports promise: a clock, a model and neighbours."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from rapidfuzz.distance import Indel

from bot.domain.conflict import Clusters, Conflict
from bot.domain.dataset import Row, Split, group_of, normalised
from bot.domain.errors import ModelDown, ModelError
from bot.domain.gain import Likenesses
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example, Neighbour, SameQuestion
from bot.ports import Answer, RowChanges, Transaction
from bot.ports.progress import Progress, unheard
from bot.similarity.compared_texts import ComparedTexts, TextNumbers
from bot.similarity.index import Index
from bot.similarity.meanings import Meanings


class StepClock:
    """A clock that moves only when a test advances it."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> None:
        """Move the clock; the arguments are those of `timedelta`, as in `advance(seconds=3)`."""
        self._now += timedelta(**by)


class RuleModel:
    """A model that answers from a table: the first of its words that is in the text gives the category's id.

    A text without any of the words belongs to the prompt's catch-all. `asked` holds the texts that were classified,
    `shown` the examples that came with each.
    """

    def __init__(self, rules: Mapping[str, str], confidence: float | None = 0.87) -> None:
        self.rules = dict(rules)
        self.confidence = confidence
        self.others: tuple[str, ...] = ()
        self.asked: list[str] = []
        self.shown: list[tuple[Example, ...]] = []
        self._failures: list[ModelError] = []

    def fail(self, times: int, error: ModelError | None = None) -> None:
        """Make the next calls fail."""
        self._failures += [error or ModelDown("down")] * times

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        if self._failures:
            raise self._failures.pop(0)
        return f"'{text[:20]}' is a matter of {category}"

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        self.asked.append(text)
        self.shown.append(tuple(examples))
        if self._failures:
            raise self._failures.pop(0)
        word = next((word for word in self.rules if word in text), None)
        category = self.rules[word] if word else next(c.id for c in prompt.categories if c.other)
        return Answer(
            category=category,
            reason=f"'{word}' stands in it" if word else "nothing known stands in it",
            confidence=self.confidence,
            tokens_in=len(text),
            tokens_out=10,
            others=self.others,
        )


NEAR = 0.8
"""Similarity from which two texts are near-duplicates."""


class MemoryNeighbours:
    """Neighbours in memory. Similarity is the share of characters that two normalised texts have in common."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = list(rows)

    async def near(self, text: str) -> list[Neighbour]:
        return self._ranked(text, [row for row in self.rows if _similarity(text, row.text) >= NEAR])

    async def near_each(self, texts: Sequence[str]) -> list[list[Neighbour]]:
        return [await self.near(text) for text in texts]

    async def changes(self, tx: Transaction) -> RowChanges | None:
        return None

    async def same(self, text: str, known: Collection[str], changes: RowChanges | None = None) -> SameQuestion | None:
        near = await self.near(text)
        asked = {one.row_id: one.text for one in near if _normalised(one.text) == _normalised(text)}
        groups = {group for one in near for group in await self.cluster(one.group)}
        return SameQuestion(texts=asked, groups=tuple(sorted(groups))) if asked else None

    async def nearest(self, text: str, k: int, *, without: Collection[str] = ()) -> list[Neighbour]:
        excluded = await self.contested(self.rows) | {*without}
        rows = [row for row in self.rows if row.split is Split.TRAIN and row.group not in excluded]
        return self._ranked(text, rows, k)

    async def nearest_apart(self, rows: Sequence[Row], k: int) -> list[list[Neighbour]]:
        near = [{row.group, *(one.group for one in await self.near(row.text))} for row in rows]
        return [await self.nearest(row.text, k, without=groups) for row, groups in zip(rows, near, strict=True)]

    async def repeated(self, reason: str) -> list[str]:
        del reason
        return [row.text for row in self.rows]

    async def likenesses(self, texts: Sequence[str], public: Sequence[bool]) -> Likenesses:
        settled = [max((_similarity(text, row.text) for row in self.rows), default=0.0) for text in texts]
        between = [[_similarity(one, other) for other in texts] for one in texts]
        return Likenesses(settled=np.array(settled), between=np.array(between).reshape(len(texts), len(texts)))

    async def groups(self, texts: Sequence[str], changes: RowChanges | None = None) -> list[str]:
        return [next((neighbour.group for neighbour in await self.near(text)), group_of(text)) for text in texts]

    async def refresh(self, report: Progress = unheard) -> None:
        pass

    async def keep(self) -> None:
        pass

    async def written(self, rows: Sequence[Row]) -> None:
        pass

    async def conflicts(self) -> list[Conflict]:
        return sorted({*self._clusters(self.rows).contested().values()}, key=lambda conflict: conflict.key)

    async def cluster(self, group: str) -> list[str]:
        return sorted(self._clusters(self.rows).cluster(group))

    async def contested(self, rows: Sequence[Row]) -> set[str]:
        return {*self._clusters(rows).contested()}

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        return [
            (i, j) for i, this in enumerate(these) for j, that in enumerate(those) if _similarity(this, that) >= NEAR
        ]

    async def numbered(self) -> TextNumbers:
        return TextNumbers(ComparedTexts(Index(), Meanings(None), private=True), asyncio.Lock())

    def _clusters(self, rows: Sequence[Row]) -> Clusters:
        texts = [row.text for row in rows]
        near: defaultdict[int, list[int]] = defaultdict(list)
        for i, j in self.pairs(texts, texts):
            near[i].append(j)
        clusters = Clusters(near.__getitem__)
        for n, row in enumerate(rows):
            clusters.add(row.group, n, row.category)
        return clusters

    def _ranked(self, text: str, rows: Iterable[Row], most: int | None = None) -> list[Neighbour]:
        """Return the rows nearest to a text, at most so many; only what is returned is built."""
        found = ((_similarity(text, row.text), row) for row in rows)
        ranked = sorted(found, key=lambda one: (-one[0], one[1].id))[:most]
        return [
            Neighbour(row_id=row.id, text=row.text, group=row.group, category=row.category, similarity=similarity)
            for similarity, row in ranked
        ]


_normalised = cache(normalised)


def _similarity(one: str, other: str) -> float:
    return Indel.normalized_similarity(_normalised(one), _normalised(other))


class ManualTimer:
    """A clock in seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds
