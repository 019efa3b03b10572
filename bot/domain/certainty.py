"""When a release had better say that it is unsure: a threshold chosen by risk and coverage.

A release that answers only from a threshold on answers fewer questions (coverage) and errs in fewer of them (risk).
Both are measured on held-out rows. The thresholds looked at are those that let half, six tenths … all of the rows
through: they depend on the confidences alone, never on which answers were right. For each, Clopper and Pearson's
exact upper bound of the risk is taken. From half on, one after the other is tested, and the first that breaks the
promise ends it: tests in an order fixed beforehand need no correction for their number (fixed-sequence testing, as in
Angelopoulos et al., Learn then Test, arXiv 2110.01052). Where not even half can be answered, it is not a threshold
that is missing.
"""

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Self

from bot.domain.scorecard import Judged
from bot.domain.thing import Thing

TARGET = 0.10
"""Of the answers that are given as sure, at most this share may be wrong."""
ASSURANCE = 0.95
"""How certain that statement must be."""
FEWEST_JUDGED = 50
"""Held-out rows with a confidence, below which no threshold is chosen: the gate asks for as many."""
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Of the questions, which are answered."""


class Cut(Thing):
    """What answering only from `threshold` on comes to. `bound`: with ASSURANCE, no larger a share is wrong."""

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
    """The thresholds that may be chosen, the lowest first; none for fewer than LEAST answers with a confidence."""
    sure = sorted(((c, one.right) for one in judged if (c := one.result.confidence) is not None), reverse=True)
    if len(sure) < FEWEST_JUDGED:
        return []
    at = {_below(sure[math.ceil(len(sure) * share) - 1][0]) for share in SHARES[1:]} | {0.0}
    return [_cut(sure, threshold) for threshold in sorted(at)]


def lowest(of: Sequence[Cut], target: float = TARGET) -> Cut | None:
    """The lowest threshold from which on at most `target` of the answers are wrong; None where there is none.

    `of` is what `cuts` found.
    """
    kept = list(takewhile(lambda cut: cut.bound <= target, reversed(of)))
    return kept[-1] if kept else None


def _below(confidence: float) -> float:
    """Four digits are enough to be typed by hand; rounded down, the row itself still passes."""
    return math.floor(confidence * 1e4) / 1e4


def _cut(sure: Sequence[tuple[float, bool]], threshold: float) -> Cut:
    passed = [right for confidence, right in sure if confidence >= threshold]
    wrong = passed.count(False)
    bound = upper_bound(wrong, len(passed), 1 - ASSURANCE)
    return Cut(threshold=threshold, accepted=len(passed), wrong=wrong, of=len(sure), bound=bound)


def upper_bound(wrong: int, of: int, doubt: float) -> float:
    """Clopper and Pearson's (1934) upper bound of a share: no larger one makes so few `wrong` likelier than `doubt`."""
    if wrong >= of:
        return 1.0
    low, high = wrong / of, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(wrong, of, middle) > doubt else (low, middle)
    return high


def _at_most(wrong: int, of: int, share: float) -> float:
    """The probability of at most so many wrong ones, where each is wrong with the probability `share`."""
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
    """How a release treats questions that are nobody's: those whose right category is the catch-all."""

    rows: int
    named: int
    """Of them, answered with the catch-all, and sure."""
    caught: int
    """Of them, answered with the catch-all or unsure: none was sent to a wrong desk."""
    said: int
    """Answers that were the catch-all, and sure, whatever was right."""

    @classmethod
    def of(cls, judged: Sequence[Judged], other: str, threshold: float = 0.0) -> Self:
        """`other`: the catch-all's category; below `threshold` a release is unsure."""
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
