"""The gate: whether a candidate may serve, by a rule that is written down and printed with every answer."""

import math
from enum import StrEnum

from bot.domain.comparison import Comparison, mcnemar
from bot.domain.scorecard import Scorecard, Z
from bot.domain.thing import Thing

SIGNIFICANT = 0.05
"""p of the exact McNemar test below which one release is better than the other."""
LEAST_BETTER = 50
"""Independent held-out questions that "better" needs."""
LEAST_EQUAL = 300
"""Independent held-out questions that "not worse" needs."""
MARGIN = 0.02
"""How much accuracy a candidate that is not better may at most lose: the interval's lower bound is above -MARGIN."""
RECALL_FLOOR = 0.10
"""How much recall a category may at most lose against the serving release."""
FLOOR_SUPPORT = 10
"""Held-out rows of a category below which its recall says too little for a floor."""
LEAST_SENTENCE = 10
"""Characters of the sentence with which an admin overrides the gate."""
MOST_MISSING = 5_000
"""More rows than this are not asked for: the releases are as good as each other, or the candidate is worse."""


class Outcome(StrEnum):
    """What the gate says."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ENOUGH = "not_enough"


class GateReason(StrEnum):
    """The part of the rule that decided. Each has a text in each language under `gate.why.<value>`."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    WORSE = "worse"
    FLOOR = "floor"
    FEW = "few"
    """Fewer questions than anything can pass on."""
    UNCLEAR = "unclear"
    """Enough questions to be better on, but the difference is too small for them."""
    UNKNOWN = "unknown"
    """The serving release could not be asked, so there is nothing to compare with."""


class Drop(Thing):
    """A category that fell below its floor: its recall in 0..1, before and now, on `support` rows."""

    category: str
    before: float
    now: float
    support: int


class Decision(Thing):
    """The gate's answer, with the numbers that it rests on."""

    outcome: Outcome
    why: GateReason
    serving: str
    """The release that it was compared with; where another one serves by now, the decision is void."""
    comparison: Comparison | None = None
    drops: tuple[Drop, ...] = ()
    missing: int | None = None
    """Where the evidence is not enough: about how many more held-out rows would be, if they go on as those so far;
    None where no number of rows is in sight."""


def undecided(serving: str) -> Decision:
    """The answer where this release could not be asked."""
    return Decision(outcome=Outcome.NOT_ENOUGH, why=GateReason.UNKNOWN, serving=serving)


def decide(comparison: Comparison, candidate: Scorecard, serving: Scorecard) -> Decision:
    """The rule.

    1. Significantly worse (exact McNemar, p < SIGNIFICANT) fails, on however few rows.
    2. With at least LEAST_BETTER questions, a category with SUPPORT rows that lost more than FLOOR of recall fails.
    3. With at least LEAST_BETTER questions, significantly better passes.
    4. With at least LEAST_EQUAL questions, an interval of the difference that ends above -MARGIN passes.
    5. Anything else is not enough evidence.

    Near-copies of a question count as one.
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
    """The categories that lost too much, the worst first. Both scorecards are of the same rows."""
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
    """How many more questions would be enough if better, worse and the rest kept their shares; the nearer of both ways.

    None where neither way gets there within MOST_MISSING.
    """
    n = comparison.groups
    if n < 2:
        return LEAST_BETTER - n
    ways = [way for way in (_until_better(comparison), _until_equal(comparison)) if way is not None]
    needed = min(ways, default=None)
    return needed - n if needed is not None and needed - n <= MOST_MISSING else None


def _until_better(comparison: Comparison) -> int | None:
    n = comparison.groups
    total = max(LEAST_BETTER, n + 1)
    while comparison.better > comparison.worse and total <= n + MOST_MISSING:
        if mcnemar(round(comparison.better * total / n), round(comparison.worse * total / n)) < SIGNIFICANT:
            return total
        total += 1 + total // 50  # "about" is all that can be said
    return None


def _until_equal(comparison: Comparison) -> int | None:
    room = comparison.difference + MARGIN
    if room <= 0 or math.isinf(comparison.error):
        return None
    # The error shrinks with the root of the number of questions.
    total = comparison.groups * (Z * comparison.error / room) ** 2
    return max(LEAST_EQUAL, comparison.groups + 1, math.ceil(total))
