"""The gate: the written rule that decides whether a candidate may serve, shown with every decision."""

import math
from enum import StrEnum

from bot.domain.comparison import Comparison, mcnemar
from bot.domain.scorecard import Scorecard, Z
from bot.domain.thing import Thing

SIGNIFICANT = 0.05
"""p of the exact McNemar test below which one release counts as better than the other, from MANY questions on."""
STRICT = 0.01
"""The same below MANY questions: few questions are looked at often, and one more training is one more chance."""
MANY = 50
"""Number of independent questions from which SIGNIFICANT applies instead of STRICT."""
FEWEST_DECISIVE = 8
"""Fewest questions that can decide anything: eight that differ, all the same way, give p = 0.008."""
LEAST_EQUAL = 300
"""Minimum number of independent questions for "not worse"."""
MARGIN = 0.02
"""Maximum loss of accuracy for "not worse": the interval of the difference must start at or above -MARGIN."""
RECALL_FLOOR = 0.10
"""Maximum recall that a category may lose against the serving release."""
FLOOR_SUPPORT = 10
"""Minimum number of rows of a category for its floor to apply."""
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
    """The part of the rule that decided. A reason to pass or fail has a text under `gate.first.<value>`."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    WORSE = "worse"
    FLOOR = "floor"
    FEW = "few"
    """Too few questions for any candidate to pass."""
    UNCLEAR = "unclear"
    """The difference is too small for the number of questions."""
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
    """Estimated number of further confirmed answers needed if the evidence is not enough and the trend continues.

    None means that no reachable number would be enough."""


def undecided(serving: str) -> Decision:
    """Return the decision if the serving release could not be asked."""
    return Decision(outcome=Outcome.NOT_ENOUGH, why=GateReason.UNKNOWN, serving=serving)


def decide(
    comparison: Comparison, candidate: Scorecard, serving: Scorecard, generous: Comparison | None = None
) -> Decision:
    """Apply the gate's rule.

    1. A significantly worse candidate (exact McNemar) fails, on any number of questions, if it is so on the generous
       mix too.
    2. A significantly better candidate passes, on any number of questions.
    3. With at least LEAST_EQUAL questions, a candidate passes if the interval of the difference starts at or above
       -MARGIN.
    4. But a candidate that would pass fails if a category with at least FLOOR_SUPPORT rows lost more than RECALL_FLOOR
       of recall.
    5. Anything else is not enough evidence.

    Significant is p < STRICT below MANY questions, and p < SIGNIFICANT from there on. Near-duplicates of a question
    count as one.

    Args:
        comparison: The comparison on rows that do not favour the candidate.
        candidate: The candidate's figures on these rows.
        serving: The serving release's figures on them.
        generous: The comparison on rows that favour the candidate (`evidence.generous_mix`); by default the same.
    """
    drops = floors(candidate, serving)
    outcome, why = _verdict(comparison, generous or comparison)
    if outcome is Outcome.PASSED and drops:
        outcome, why = Outcome.FAILED, GateReason.FLOOR
    return Decision(
        outcome=outcome,
        why=why,
        serving=serving.release_id,
        comparison=comparison,
        drops=drops if why is GateReason.FLOOR else (),
        missing=missing_rows(comparison) if outcome is Outcome.NOT_ENOUGH else None,
    )


def _verdict(comparison: Comparison, generous: Comparison) -> tuple[Outcome, GateReason]:
    n = comparison.groups
    if _is_significant(comparison) and comparison.better > comparison.worse:
        return Outcome.PASSED, GateReason.BETTER
    if all(_is_significant(one) and one.worse > one.better for one in (comparison, generous)):
        return Outcome.FAILED, GateReason.WORSE
    if n >= LEAST_EQUAL and comparison.interval[0] >= -MARGIN:
        return Outcome.PASSED, GateReason.NOT_WORSE
    return Outcome.NOT_ENOUGH, GateReason.UNCLEAR if n >= FEWEST_DECISIVE else GateReason.FEW


def _is_significant(comparison: Comparison) -> bool:
    return comparison.p < significance(comparison.groups)


def significance(questions: int) -> float:
    """Return the p below which one release counts as better than the other, on this number of questions."""
    return SIGNIFICANT if questions >= MANY else STRICT


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

    The smaller of the numbers for "better" and "not worse" counts. If both are above MOST_MISSING, up to MANY questions
    are missing, and none (None) from there on.
    """
    n = comparison.groups
    if n < 2:
        return MANY - n
    totals = [total for total in (_total_for_better(comparison), _total_for_not_worse(comparison)) if total is not None]
    needed = min(totals, default=None)
    if needed is not None and needed - n <= MOST_MISSING:
        return needed - n
    return MANY - n if n < MANY else None  # so few questions show no trend


def _total_for_better(comparison: Comparison) -> int | None:
    n = comparison.groups
    total = n + 1
    while comparison.better > comparison.worse and total <= n + MOST_MISSING:
        better, worse = round(comparison.better * total / n), round(comparison.worse * total / n)
        if mcnemar(better, worse) < significance(total):
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
