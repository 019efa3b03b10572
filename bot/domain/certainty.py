"""The confidence threshold below which a release says that it is unsure, chosen by risk and coverage.

With a higher threshold a release answers fewer questions (coverage), and fewer of its answers are wrong (risk).
Coverage and risk are measured on held-out rows.

The candidate thresholds let 50%, 60% … 100% of the rows through. The candidates depend on the confidences alone, never
on which answers were right. Each threshold's risk gets an exact upper bound (Clopper and Pearson). The thresholds are
tested in order, from 50% up, and the first one over the target ends the search. A test order that is fixed beforehand
needs no correction for multiple tests (fixed-sequence testing; Angelopoulos et al., Learn then Test, arXiv 2110.01052).

Coverage below 50% is not tried: if a release cannot answer half of the questions safely, no threshold helps.
"""

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Self

from bot.domain.scorecard import Judged
from bot.domain.thing import Thing

TARGET = 0.10
"""Maximum share of wrong answers among those given as sure."""
ASSURANCE = 0.95
"""Confidence level of the bound on the risk."""
FEWEST_JUDGED = 50
"""Minimum number of held-out rows with a confidence; the gate requires as many."""
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Coverages to try: shares of questions that are answered."""


class Cut(Thing):
    """The effect of a threshold on held-out rows. With ASSURANCE, the share of wrong answers is at most `bound`."""

    threshold: float
    accepted: int
    wrong: int
    of: int
    bound: float

    @property
    def coverage(self) -> float:
        return self.accepted / self.of

    @property
    def risk(self) -> float:
        return self.wrong / self.accepted


def cuts(judged: Sequence[Judged]) -> list[Cut]:
    """Return the candidate thresholds, lowest first; none for fewer than FEWEST_JUDGED answers with a confidence."""
    scored = sorted(((c, one.right) for one in judged if (c := one.result.confidence) is not None), reverse=True)
    if len(scored) < FEWEST_JUDGED:
        return []
    thresholds = {_round_down(scored[math.ceil(len(scored) * share) - 1][0]) for share in SHARES[1:]} | {0.0}
    return [_cut_at(threshold, scored) for threshold in sorted(thresholds)]


def lowest_threshold(of: Sequence[Cut], target: float = TARGET) -> Cut | None:
    """Return the lowest threshold that keeps the risk at or below `target`; None if no threshold does.

    Args:
        of: The result of `cuts`.
        target: Maximum share of wrong answers, 0..1.
    """
    passing = list(takewhile(lambda cut: cut.bound <= target, reversed(of)))
    return passing[-1] if passing else None


def _round_down(confidence: float) -> float:
    """Round to four digits, which can be typed by hand; rounded down, the row itself still passes."""
    return math.floor(confidence * 1e4) / 1e4


def _cut_at(threshold: float, scored: Sequence[tuple[float, bool]]) -> Cut:
    passed = [right for confidence, right in scored if confidence >= threshold]
    wrong = passed.count(False)
    bound = upper_bound(wrong, len(passed), 1 - ASSURANCE)
    return Cut(threshold=threshold, accepted=len(passed), wrong=wrong, of=len(scored), bound=bound)


def upper_bound(wrong: int, of: int, alpha: float) -> float:
    """Return the one-sided upper bound of a share by Clopper and Pearson (1934), at confidence 1 - `alpha`."""
    if wrong >= of:
        return 1.0
    low, high = wrong / of, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _binomial_cdf(wrong, of, middle) > alpha else (low, middle)
    return high


def _binomial_cdf(wrong: int, of: int, share: float) -> float:
    """Return the probability of at most `wrong` errors in `of` answers with the error rate `share`."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    odds, term = math.log(share) - math.log1p(-share), of * math.log1p(-share)
    total = math.exp(term)
    for k in range(wrong):
        term += math.log(of - k) - math.log(k + 1) + odds
        total += math.exp(term)
    return total


class OutOfScope(Thing):
    """The figures of a release on out-of-scope questions: those whose right category is the catch-all."""

    rows: int
    """Out-of-scope questions."""
    named: int
    """Out-of-scope questions that were answered with the catch-all, and not unsure."""
    caught: int
    """Out-of-scope questions that were answered with the catch-all or unsure, so no wrong team was notified."""
    said: int
    """All answers with the catch-all that were not unsure, right or wrong."""

    @classmethod
    def of(cls, judged: Sequence[Judged], other: str, threshold: float = 0.0) -> Self:
        """Count the answers. `other` is the catch-all's id; below `threshold` the release is unsure."""
        theirs = [one for one in judged if one.row.category == other]
        said = [one for one in judged if one.result.category == other and not _is_unsure(one, threshold)]
        return cls(
            rows=len(theirs),
            named=sum(one.right for one in said),
            caught=sum(one.right or _is_unsure(one, threshold) for one in theirs),
            said=len(said),
        )

    @property
    def recall(self) -> float | None:
        return self.named / self.rows if self.rows else None

    @property
    def precision(self) -> float | None:
        return self.named / self.said if self.said else None

    @property
    def share_caught(self) -> float | None:
        return self.caught / self.rows if self.rows else None


def _is_unsure(one: Judged, threshold: float) -> bool:
    return one.result.confidence is not None and one.result.confidence < threshold
