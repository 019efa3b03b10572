"""The gate's rule, on generated rows."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.comparison import compare
from bot.domain.gate import FEWEST_DECISIVE, LEAST_EQUAL, MANY, MARGIN, Decision, GateReason, Outcome, decide
from bot.domain.scorecard import scorecard
from tests.bot.domain.judged import judged

FEWER_EXAMPLES = settings(max_examples=25)
CATEGORIES = ["labor", "hr", "it", "other"]


def answers(settled: list[str], accuracy: float, seed: int) -> list[str]:
    """Return answers that are right with this probability, else of a random other category."""
    random = Random(seed)
    return [
        one if random.random() < accuracy else random.choice([c for c in CATEGORIES if c != one]) for one in settled
    ]


def decision(settled: list[str], now: list[str], before: list[str], groups: list[int] | None = None) -> Decision:
    new = judged(settled, now, groups=groups, release="new")
    old = judged(settled, before, groups=groups, release="old")
    return decide(compare(new, old), scorecard("new", new), scorecard("old", old))


def settled_rows(n: int) -> list[str]:
    return [CATEGORIES[i % len(CATEGORIES)] for i in range(n)]


@FEWER_EXAMPLES
@given(st.integers(80, 300), st.integers(0, 99))
def test_shuffled_labels_fail(n: int, seed: int) -> None:
    settled = settled_rows(n)
    before = answers(settled, 0.8, seed)
    shuffled = Random(seed).sample(settled, len(settled))
    found = decision(settled, shuffled, before)
    assert (found.outcome, found.why) == (Outcome.FAILED, GateReason.WORSE)


@FEWER_EXAMPLES
@given(st.integers(80, 300), st.integers(0, 99))
def test_clearly_better_candidate_passes(n: int, seed: int) -> None:
    settled = settled_rows(n)
    found = decision(settled, settled, answers(settled, 0.6, seed))
    assert (found.outcome, found.why, found.serving) == (Outcome.PASSED, GateReason.BETTER, "old")


@FEWER_EXAMPLES
@given(st.integers(0, 600), st.integers(0, 99))
def test_equal_candidate_needs_enough_rows(n: int, seed: int) -> None:
    settled = settled_rows(n)
    same = answers(settled, 0.8, seed)
    found = decision(settled, same, same)
    if n >= LEAST_EQUAL:
        assert (found.outcome, found.why) == (Outcome.PASSED, GateReason.NOT_WORSE)
    else:
        assert (found.outcome, found.why) == (
            Outcome.NOT_ENOUGH,
            GateReason.FEW if n < FEWEST_DECISIVE else GateReason.UNCLEAR,
        )
        assert found.missing == (LEAST_EQUAL if n > 1 else MANY) - n


@FEWER_EXAMPLES
@given(st.integers(0, 7), st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
def test_seven_rows_never_decide(n: int, seed: int, now: float, before: float) -> None:
    settled = settled_rows(n)
    found = decision(settled, answers(settled, now, seed), answers(settled, before, seed + 1))
    assert (found.outcome, found.why) == (Outcome.NOT_ENOUGH, GateReason.FEW)


@pytest.mark.parametrize(("n", "outcome"), [(299, Outcome.NOT_ENOUGH), (300, Outcome.PASSED)])
def test_equal_candidate_passes_from_300_rows(n: int, outcome: Outcome) -> None:
    same = answers(settled_rows(n), 0.8, seed=1)
    assert decision(settled_rows(n), same, same).outcome is outcome


@pytest.mark.parametrize(
    ("n", "fixed", "outcome"),
    [
        (8, 7, Outcome.NOT_ENOUGH),
        (8, 8, Outcome.PASSED),
        (49, 7, Outcome.NOT_ENOUGH),
        (49, 8, Outcome.PASSED),
        (50, 5, Outcome.NOT_ENOUGH),
        (50, 6, Outcome.PASSED),
    ],
)
def test_better_is_stricter_below_fifty_rows(n: int, fixed: int, outcome: Outcome) -> None:
    """Without broken rows, p is 0.0625, 0.031, 0.016 and 0.008 for five to eight fixed ones."""
    settled = ["it"] * n
    assert decision(settled, settled, ["hr"] * fixed + ["it"] * (n - fixed)).outcome is outcome


@pytest.mark.parametrize(("n", "fixed", "missing"), [(40, 5, 10), (20, 4, 18), (60, 4, 23)])
def test_missing_rows_follow_the_trend(n: int, fixed: int, missing: int) -> None:
    """40 rows with five fixed: at 50 there are six, which are enough there. 20 with four: at 38 there are eight."""
    settled = ["it"] * n
    found = decision(settled, settled, ["hr"] * fixed + ["it"] * (n - fixed))
    assert (found.outcome, found.missing) == (Outcome.NOT_ENOUGH, missing)


def test_worse_needs_the_generous_mix_too() -> None:
    settled = ["it"] * 60
    new, old = judged(settled, ["hr"] * 8 + ["it"] * 52), judged(settled, settled)
    generous = compare(judged(settled, ["hr"] * 8 + ["it"] * 52), judged(settled, ["it"] * 50 + ["hr"] * 10))
    cards = scorecard("new", new), scorecard("old", old)
    assert decide(compare(new, old), *cards).why is GateReason.WORSE
    assert decide(compare(new, old), *cards, generous).outcome is Outcome.NOT_ENOUGH


def test_near_duplicates_do_not_count_as_rows() -> None:
    settled = [c for c in settled_rows(7) for _ in range(10)]
    groups = [n for n in range(7) for _ in range(10)]
    found = decision(settled, settled, ["nothing"] * 70, groups)
    assert (found.outcome, found.why) == (Outcome.NOT_ENOUGH, GateReason.FEW)


def test_category_below_floor_fails_a_better_candidate() -> None:
    settled = ["it"] * 200 + ["hr"] * 20
    before = ["other"] * 100 + ["it"] * 100 + ["hr"] * 20
    now = ["it"] * 200 + ["it"] * 3 + ["hr"] * 17
    found = decision(settled, now, before)
    assert (found.outcome, found.why) == (Outcome.FAILED, GateReason.FLOOR)
    assert [(d.category, d.before, d.now, d.support) for d in found.drops] == [("hr", 1.0, 0.85, 20)]
    assert decision(settled, ["it"] * 202 + ["hr"] * 18, before).outcome is Outcome.PASSED


def test_floor_holds_below_fifty_rows_too() -> None:
    settled = ["it"] * 20 + ["hr"] * 10
    before = ["other"] * 15 + ["it"] * 5 + ["hr"] * 10
    found = decision(settled, ["it"] * 22 + ["hr"] * 8, before)
    assert (found.outcome, found.why) == (Outcome.FAILED, GateReason.FLOOR)
    assert decision(settled, ["it"] * 21 + ["hr"] * 9, before).outcome is Outcome.PASSED


def test_category_with_few_rows_has_no_floor() -> None:
    settled = ["it"] * 200 + ["hr"] * 9
    before = ["other"] * 100 + ["it"] * 100 + ["hr"] * 9
    assert decision(settled, ["it"] * 209, before).outcome is Outcome.PASSED


@pytest.mark.parametrize(("n", "passes"), [(LEAST_EQUAL, False), (2_000, True)])
def test_noisy_draw_passes_only_with_narrow_interval(n: int, passes: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """Both are right equally often but on different rows: 4% fixed and 4% broken."""
    settled = ["it"] * n
    now = ["hr" if i % 25 == 0 else "it" for i in range(n)]
    before = ["hr" if i % 25 == 1 else "it" for i in range(n)]
    found = decision(settled, now, before)
    assert (found.outcome is Outcome.PASSED) == passes
    if not passes:
        assert found.missing is not None
        more = n + found.missing
        again = decision(
            ["it"] * more,
            ["hr" if i % 25 == 0 else "it" for i in range(more)],
            ["hr" if i % 25 == 1 else "it" for i in range(more)],
        )
        assert again.comparison is not None
        assert again.comparison.interval[0] >= -MARGIN - 0.002, "the estimate of missing rows is about right"


@pytest.mark.parametrize("n", [14, MANY - 1])
@pytest.mark.parametrize(("fixed", "broken"), [(0, 2), (1, 3)])
def test_few_questions_rule_no_candidate_out(n: int, fixed: int, broken: int) -> None:
    settled = ["it"] * n
    before = ["hr"] * fixed + ["it"] * (n - fixed)
    now = ["it"] * (n - broken) + ["hr"] * broken
    found = decision(settled, now, before)
    assert (found.outcome, found.missing) == (Outcome.NOT_ENOUGH, MANY - n)


def test_slightly_worse_candidate_never_passes() -> None:
    settled = ["it"] * 100
    found = decision(settled, ["hr"] * 4 + ["it"] * 96, settled)
    assert (found.outcome, found.missing) == (Outcome.NOT_ENOUGH, None)
