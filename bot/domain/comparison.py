"""The comparison of two releases on the same rows: rows fixed, rows broken, and statistical significance."""

import math
from collections import defaultdict
from collections.abc import Sequence

from bot.domain.scorecard import Judged, Z
from bot.domain.thing import Thing


class Comparison(Thing):
    """A candidate compared with the serving release, row by row.

    A near-duplicate group counts as one piece of evidence: its rows get the same answers, so they are not independent.
    """

    rows: int
    groups: int
    fixed: tuple[str, ...]
    """Ids of the rows that the serving release gets wrong and the candidate gets right."""
    broken: tuple[str, ...]
    """Ids of the rows that the serving release gets right and the candidate gets wrong."""
    better: int
    """Groups in which the candidate gets more rows right; without near-duplicates, as many as `fixed`."""
    worse: int
    """Groups in which the candidate gets fewer rows right."""
    error: float
    """Standard error of `difference`, clustered by group."""

    @property
    def p(self) -> float:
        """Two-sided p of the exact McNemar test over groups."""
        return mcnemar(self.better, self.worse)

    @property
    def difference(self) -> float:
        """Accuracy of the candidate minus that of the serving release, in -1..1; 0 without rows."""
        return (len(self.fixed) - len(self.broken)) / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95% confidence interval of `difference`: normal, with the clustered standard error."""
        return self.difference - Z * self.error, self.difference + Z * self.error


def mcnemar(better: int, worse: int) -> float:
    """Return the two-sided p of the exact McNemar test.

    If both were equally good, each of the n = b + c pairs that differ would be a fair coin. Therefore
    p = min(1, 2 · Σ C(n, i) / 2ⁿ for i = 0..min(b, c)).
    """
    n = better + worse
    term, total = 1, 1
    for i in range(1, min(better, worse) + 1):
        term = term * (n - i + 1) // i
        total += term
    return min(1.0, 2 * total / (1 << n))


def compare(candidate: Sequence[Judged], serving: Sequence[Judged]) -> Comparison:
    """Compare two releases, row by row.

    The standard error of the mean difference d̄ over n rows in G groups is
    √(G/(G−1) · Σ over groups of (Σ within the group of (d − d̄))²) / n. The formula is cluster-robust as in Miller,
    "Adding Error Bars to Evals" (arXiv 2411.00640), with the usual correction for few groups. A single group gives
    infinity.

    Raises:
        ValueError: The two did not answer the same rows.
    """
    before = {one.row.id: one for one in serving}
    if {one.row.id for one in candidate} != before.keys() or len(candidate) != len(before):
        raise ValueError("only answers to the same rows can be compared")
    gain = {one.row.id: int(one.right) - int(before[one.row.id].right) for one in candidate}
    members: dict[str, list[int]] = defaultdict(list)
    for one in candidate:
        members[one.row.group].append(gain[one.row.id])
    sums = [sum(gains) for gains in members.values()]
    return Comparison(
        rows=len(gain),
        groups=len(members),
        fixed=tuple(row_id for row_id, d in gain.items() if d > 0),
        broken=tuple(row_id for row_id, d in gain.items() if d < 0),
        better=sum(total > 0 for total in sums),
        worse=sum(total < 0 for total in sums),
        error=_clustered_error(list(members.values())),
    )


def _clustered_error(members: Sequence[Sequence[int]]) -> float:
    groups, rows = len(members), sum(map(len, members))
    if groups < 2:
        return math.inf if groups else 0.0
    mean = sum(map(sum, members)) / rows
    spread = sum((sum(gains) - len(gains) * mean) ** 2 for gains in members)
    return math.sqrt(groups / (groups - 1) * spread) / rows
