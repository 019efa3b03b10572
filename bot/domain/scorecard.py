"""Scorecards: what a release answered to settled rows, and the figures that say how good that is."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import NormalDist, fmean, median

from bot.domain.dataset import Row
from bot.domain.thing import Thing

Z = NormalDist().inv_cdf(0.975)
"""Of a 95% interval."""
BINS = 10
"""Of equal width, from 0 to 1, over which calibration is looked at."""


class Result(Thing):
    """One release's answer to one text in an evaluation. Kept by text, so that each is paid for once."""

    release_id: str
    text_key: str
    """`dataset.text_key` of the row's text."""
    category: str
    confidence: float | None
    latency_ms: int | None
    """None where it was asked in a batch, with nobody waiting."""
    tokens_in: int
    tokens_out: int
    at: datetime


class Judged(Thing):
    """A settled row and what a release answered to it."""

    row: Row
    result: Result

    @property
    def right(self) -> bool:
        return self.row.category == self.result.category


class Figures(Thing):
    """One category: how many rows are settled as it, how many were answered so, and how many are both."""

    support: int
    answered: int
    right: int

    @property
    def recall(self) -> float | None:
        """Of the rows that are settled so, the share that was answered so; None without any."""
        return self.right / self.support if self.support else None

    @property
    def precision(self) -> float | None:
        """Of the rows that were answered so, the share that is settled so; None without any."""
        return self.right / self.answered if self.answered else None


class Bin(Thing):
    """The rows whose confidence lies in one tenth of 0..1."""

    rows: int
    right: int
    confidence: float
    """Their mean confidence."""

    @property
    def gap(self) -> float:
        """How far the confidence is from the share that is right."""
        return abs(self.confidence - self.right / self.rows)


class Scorecard(Thing):
    """One release on frozen rows. `rows_key` names them; latencies are in milliseconds, of rows with one (else 0)."""

    release_id: str
    rows_key: str
    rows: int
    right: int
    categories: dict[str, Figures]
    """By category id, sorted: every one that is settled or answered."""
    confusion: dict[tuple[str, str], int]
    """(settled category, answered category) → rows, the right ones among them."""
    bins: tuple[Bin, ...]
    """Those with rows, by rising confidence. Rows without a confidence are in none."""
    latency_p50: float
    latency_p95: float
    tokens_in: int
    tokens_out: int

    @property
    def accuracy(self) -> float:
        """In 0..1; 0 where there were no rows."""
        return self.right / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy."""
        return wilson(self.right, self.rows)

    @property
    def ece(self) -> float | None:
        """Expected calibration error: the gap of each bin, weighted by its rows; None without any confidence."""
        rows = sum(one.rows for one in self.bins)
        return sum(one.gap * one.rows for one in self.bins) / rows if rows else None


def wilson(right: int, rows: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share (Wilson, 1927); 0..1 where there are no rows."""
    if not rows:
        return 0.0, 1.0
    share, z2 = right / rows, Z * Z
    middle, half = share + z2 / (2 * rows), Z * math.sqrt((share * (1 - share) + z2 / (4 * rows)) / rows)
    return max(0.0, (middle - half) / (1 + z2 / rows)), min(1.0, (middle + half) / (1 + z2 / rows))


def rows_key(rows: Sequence[Row]) -> str:
    """The name of frozen rows: a hash of what is asked and what is right."""
    lines = sorted(f"{row.id} {row.group} {row.category}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def scorecard(release_id: str, judged: Sequence[Judged]) -> Scorecard:
    """The figures of one release on these rows."""
    confusion = Counter((one.row.category, one.result.category) for one in judged)
    settled, answered = (Counter(one) for one in zip(*confusion.elements(), strict=True)) if judged else ({}, {})
    latencies = sorted(ms for one in judged if (ms := one.result.latency_ms) is not None)
    return Scorecard(
        release_id=release_id,
        rows_key=rows_key([one.row for one in judged]),
        rows=len(judged),
        right=sum(one.right for one in judged),
        categories={
            c: Figures(support=settled.get(c, 0), answered=answered.get(c, 0), right=confusion[c, c])
            for c in sorted({*settled, *answered})
        },
        confusion=dict(sorted(confusion.items())),
        bins=_bins(judged),
        latency_p50=median(latencies) if latencies else 0.0,
        # The nearest rank: the least latency that at least 95% of the rows were answered within.
        latency_p95=latencies[math.ceil(0.95 * len(latencies)) - 1] if latencies else 0.0,
        tokens_in=sum(one.result.tokens_in for one in judged),
        tokens_out=sum(one.result.tokens_out for one in judged),
    )


def _bins(judged: Sequence[Judged]) -> tuple[Bin, ...]:
    binned: dict[int, list[tuple[float, bool]]] = {}
    for one in judged:
        if (sure := one.result.confidence) is not None:
            binned.setdefault(min(int(sure * BINS), BINS - 1), []).append((sure, one.right))
    return tuple(
        Bin(rows=len(held), right=sum(right for _, right in held), confidence=fmean(sure for sure, _ in held))
        for _, held in sorted(binned.items())
    )
