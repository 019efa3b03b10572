"""The gate: the written rule that decides whether a candidate may serve, shown with every decision."""

import math
from enum import StrEnum

from bot.domain.comparison import Comparison, mcnemar
from bot.domain.scorecard import Scorecard, Z
from bot.domain.thing import Thing

SIGNIFICANT = 0.05
"""p of the exact McNemar test below which one release counts as better than the other."""
LEAST_BETTER = 50
"""Minimum number of independent held-out questions for "better"."""
LEAST_EQUAL = 300
"""Minimum number of independent held-out questions for "not worse"."""
MARGIN = 0.02
"""Maximum loss of accuracy for "not worse": the interval of the difference must start at or above -MARGIN."""
RECALL_FLOOR = 0.10
"""Maximum recall that a category may lose against the serving release."""
FLOOR_SUPPORT = 10
"""Minimum number of held-out rows of a category for its floor to apply."""
LEAST_SENTENCE = 10
"""Minimum length, in characters, of the sentence with which an admin overrides the gate."""
MOST_MISSING = 5_000
"""Maximum number of rows to ask for. If more are missing, the releases are equal or the candidate is worse."""


class Outcome(StrEnum):
    """The gate's result."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ENOUGH = "not_enough"


class GateReason(StrEnum):
    """The part of the rule that decided. Each reason has a text in each language under `gate.why.<value>`."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    WORSE = "worse"
    FLOOR = "floor"
    FEW = "few"
    """Too few questions for any candidate to pass."""
    UNCLEAR = "unclear"
    """Enough questions for "better", but the difference is too small for their number."""
    UNKNOWN = "unknown"
    """The serving release could not be asked, so a comparison is impossible."""


class Drop(Thing):
    """A category that fell below its floor: recall before and now, 0..1, on `support` rows."""

    category: str
    before: float
    now: float
    support: int


class Decision(Thing):
    """The gate's result with the numbers it is based on."""

    outcome: Outcome
    why: GateReason
    serving: str
    """The release that the candidate was compared with. The decision is void once another release serves."""
    comparison: Comparison | None = None
    drops: tuple[Drop, ...] = ()
    missing: int | None = None
    """Estimated number of further held-out rows needed if the evidence is not enough, assuming the trend continues.

    None means that no reachable number of rows would be enough."""


def undecided(serving: str) -> Decision:
    """Return the decision if the serving release could not be asked."""
    return Decision(outcome=Outcome.NOT_ENOUGH, why=GateReason.UNKNOWN, serving=serving)


def decide(comparison: Comparison, candidate: Scorecard, serving: Scorecard) -> Decision:
    """Apply the gate's rule.

    1. A significantly worse candidate (exact McNemar, p < SIGNIFICANT) fails, on any number of rows.
    2. With at least LEAST_BETTER questions, a candidate fails if a category with at least FLOOR_SUPPORT rows lost more
       than RECALL_FLOOR of recall.
    3. With at least LEAST_BETTER questions, a significantly better candidate passes.
    4. With at least LEAST_EQUAL questions, a candidate passes if the interval of the difference starts at or above
       -MARGIN.
    5. Anything else is not enough evidence.

    Near-duplicates of a question count as one.
    """
    n, significant = comparison.groups, comparison.p < SIGNIFICANT
    drops = floors(candidate, serving) if n >= LEAST_BETTER else ()
    outcome, why = Outcome.NOT_ENOUGH, GateReason.UNCLEAR if n >= LEAST_BETTER else GateReason.FEW
    if significant and comparison.worse > comparison.better:
        outcome, why = Outcome.FAILED, GateReason.WORSE
    elif drops:
        outcome, why = Outcome.FAILED, GateReason.FLOOR
    elif significant and n >= LEAST_BETTER:
        outcome, why = Outcome.PASSED, GateReason.BETTER
    elif n >= LEAST_EQUAL and comparison.interval[0] >= -MARGIN:
        outcome, why = Outcome.PASSED, GateReason.NOT_WORSE
    return Decision(
        outcome=outcome,
        why=why,
        serving=serving.release_id,
        comparison=comparison,
        drops=drops,
        missing=missing_rows(comparison) if outcome is Outcome.NOT_ENOUGH else None,
    )


def floors(candidate: Scorecard, serving: Scorecard) -> tuple[Drop, ...]:
    """Return the categories that lost too much recall, the worst first. Both scorecards are of the same rows."""
    drops = []
    for category, before in serving.categories.items():
        support = before.support
        if support < FLOOR_SUPPORT:
            continue
        now = candidate.categories[category]
        if before.right - now.right > RECALL_FLOOR * support:
            drop = Drop(category=category, before=before.right / support, now=now.right / support, support=support)
            drops.append(drop)
    return tuple(sorted(drops, key=lambda drop: drop.now - drop.before))


def missing_rows(comparison: Comparison) -> int | None:
    """Estimate how many more questions would be enough if the shares of better, worse and equal stay the same.

    The smaller of the numbers for "better" and "not worse" counts; None if both are above MOST_MISSING.
    """
    n = comparison.groups
    if n < 2:
        return LEAST_BETTER - n
    totals = [total for total in (_total_for_better(comparison), _total_for_not_worse(comparison)) if total is not None]
    needed = min(totals, default=None)
    return needed - n if needed is not None and needed - n <= MOST_MISSING else None


def _total_for_better(comparison: Comparison) -> int | None:
    n = comparison.groups
    total = max(LEAST_BETTER, n + 1)
    while comparison.better > comparison.worse and total <= n + MOST_MISSING:
        if mcnemar(round(comparison.better * total / n), round(comparison.worse * total / n)) < SIGNIFICANT:
            return total
        total += 1 + total // 50  # an estimate needs no exact search
    return None


def _total_for_not_worse(comparison: Comparison) -> int | None:
    room = comparison.difference + MARGIN
    if room <= 0 or math.isinf(comparison.error):
        return None
    # The error shrinks with the square root of the number of questions.
    total = comparison.groups * (Z * comparison.error / room) ** 2
    return max(LEAST_EQUAL, comparison.groups + 1, math.ceil(total))
