"""Scorecards: a release's answers to settled rows, and the figures of their quality."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from statistics import NormalDist, fmean, median

from bot.domain.dataset import Row
from bot.domain.thing import Thing

Z = NormalDist().inv_cdf(0.975)
"""Normal quantile of a two-sided 95% interval."""
BINS = 10
"""Number of equal-width bins of confidence, from 0 to 1, for the calibration."""


FILTERED = ""
"""The category of a result that the provider's content filter stopped: that of no row, so that it is never right."""


class Result(Thing):
    """A release's answer to one text in an evaluation, stored by text so that no text is paid for twice."""

    release_id: str
    text_key: str
    """The `dataset.text_key` of the row's text."""
    category: str
    confidence: float | None
    latency_ms: int | None
    """Latency in milliseconds; None if the answer came in a batch."""
    tokens_in: int
    tokens_out: int
    at: datetime
    revision: str | None = None
    """The revision of the embedded model that answered; None for other models."""

    @property
    def filtered(self) -> bool:
        """Whether the provider's content filter stopped the question or its answer."""
        return self.category == FILTERED


class Judged(Thing):
    """A settled row with a release's answer."""

    row: Row
    result: Result

    @property
    def right(self) -> bool:
        return self.row.category == self.result.category


class Figures(Thing):
    """One category's counts: rows settled with it, rows answered with it, and rows with both."""

    support: int
    answered: int
    right: int

    @property
    def recall(self) -> float | None:
        """Share of right answers among the rows settled with the category; None without such rows."""
        return self.right / self.support if self.support else None

    @property
    def precision(self) -> float | None:
        """Share of right answers among the rows answered with the category; None without such rows."""
        return self.right / self.answered if self.answered else None


class Bin(Thing):
    """The rows whose confidence lies in one of the `BINS`."""

    rows: int
    right: int
    confidence: float
    """Mean confidence of the rows."""

    @property
    def gap(self) -> float:
        """Distance between the mean confidence and the share of right answers."""
        return abs(self.confidence - self.right / self.rows)


class Scorecard(Thing):
    """The figures of one release on frozen rows.

    `rows_key` identifies the rows. Latencies are in milliseconds, over the rows that have one; 0 if none has.
    """

    release_id: str
    rows_key: str
    rows: int
    right: int
    categories: dict[str, Figures]
    """Category id → figures, sorted, for every category that was settled or answered. A filter's stop is none."""
    confusion: dict[tuple[str, str], int]
    """(settled category, answered category) → number of rows, including right answers."""
    bins: tuple[Bin, ...]
    """The non-empty bins, by rising confidence. Rows without a confidence are in no bin."""
    latency_p50: float
    latency_p95: float
    tokens_in: int
    tokens_out: int

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0..1; 0 without rows."""
        return self.right / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% confidence interval of the accuracy."""
        return wilson(self.right, self.rows)

    @property
    def ece(self) -> float | None:
        """Expected calibration error: mean gap of the bins, weighted by rows; None without any confidence."""
        rows = sum(one.rows for one in self.bins)
        return sum(one.gap * one.rows for one in self.bins) / rows if rows else None


class KeptFigures(Thing):
    """A release's number of right answers to the held-out rows when it was last evaluated."""

    rows: int
    right: int
    at: datetime
    revision: str | None
    """The revision of the embedded model that answered; None for other models."""

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0..1; 0 without rows."""
        return self.right / self.rows if self.rows else 0.0


def wilson(right: int, rows: int) -> tuple[float, float]:
    """Return Wilson's 95% confidence interval of a share (Wilson, 1927); 0..1 without rows."""
    if not rows:
        return 0.0, 1.0
    share, z2 = right / rows, Z * Z
    middle, half = share + z2 / (2 * rows), Z * math.sqrt((share * (1 - share) + z2 / (4 * rows)) / rows)
    return max(0.0, (middle - half) / (1 + z2 / rows)), min(1.0, (middle + half) / (1 + z2 / rows))


def rows_key(rows: Sequence[Row]) -> str:
    """Return the key of frozen rows: a hash of their ids, groups and categories."""
    lines = sorted(f"{row.id} {row.group} {row.category}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def scorecard(release_id: str, judged: Sequence[Judged]) -> Scorecard:
    """Compute the scorecard of one release."""
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
            for c in sorted({*settled, *answered} - {FILTERED})
        },
        confusion=dict(sorted(confusion.items())),
        bins=_bins(judged),
        latency_p50=median(latencies) if latencies else 0.0,
        # Nearest rank: the smallest latency that at least 95% of the rows stayed within.
        latency_p95=latencies[math.ceil(0.95 * len(latencies)) - 1] if latencies else 0.0,
        tokens_in=sum(one.result.tokens_in for one in judged),
        tokens_out=sum(one.result.tokens_out for one in judged),
    )


def _bins(judged: Sequence[Judged]) -> tuple[Bin, ...]:
    binned: dict[int, list[tuple[float, bool]]] = {}
    for one in judged:
        if (confidence := one.result.confidence) is not None:
            binned.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, one.right))
    return tuple(
        Bin(
            rows=len(rows),
            right=sum(right for _, right in rows),
            confidence=fmean(confidence for confidence, _ in rows),
        )
        for _, rows in sorted(binned.items())
    )
