"""The gate's rule, on generated rows."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.comparison import compare
from bot.domain.gate import LEAST_BETTER, LEAST_EQUAL, MARGIN, Decision, GateReason, Outcome, decide
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
            GateReason.FEW if n < LEAST_BETTER else GateReason.UNCLEAR,
        )
        assert found.missing == (LEAST_EQUAL if n > 1 else LEAST_BETTER) - n


@FEWER_EXAMPLES
@given(st.integers(0, 99), st.floats(0.5, 1), st.floats(0.5, 1))
def test_forty_rows_never_pass(seed: int, now: float, before: float) -> None:
    settled = settled_rows(40)
    found = decision(settled, answers(settled, now, seed), answers(settled, before, seed + 1))
    assert found.outcome is not Outcome.PASSED
    if found.why is not GateReason.WORSE:
        assert (found.outcome, found.why) == (Outcome.NOT_ENOUGH, GateReason.FEW)


@pytest.mark.parametrize(("n", "outcome"), [(299, Outcome.NOT_ENOUGH), (300, Outcome.PASSED)])
def test_equal_candidate_passes_from_300_rows(n: int, outcome: Outcome) -> None:
    same = answers(settled_rows(n), 0.8, seed=1)
    assert decision(settled_rows(n), same, same).outcome is outcome


@pytest.mark.parametrize(("n", "outcome"), [(49, Outcome.NOT_ENOUGH), (50, Outcome.PASSED)])
def test_better_candidate_passes_from_50_rows(n: int, outcome: Outcome) -> None:
    settled = settled_rows(n)
    assert decision(settled, settled, answers(settled, 0.6, seed=1)).outcome is outcome


@pytest.mark.parametrize(("fixed", "outcome"), [(5, Outcome.NOT_ENOUGH), (6, Outcome.PASSED)])
def test_better_means_p_below_a_twentieth(fixed: int, outcome: Outcome) -> None:
    """Five fixed rows and none broken give p = 0.0625; six give 0.031."""
    settled = ["it"] * 60
    assert decision(settled, settled, ["hr"] * fixed + ["it"] * (60 - fixed)).outcome is outcome


def test_missing_rows_are_estimated_at_forty_rows() -> None:
    settled = settled_rows(40)
    before = [c if n >= 12 else "nothing" for n, c in enumerate(settled)]
    found = decision(settled, settled, before)
    assert (found.outcome, found.missing) == (Outcome.NOT_ENOUGH, LEAST_BETTER - 40)


def test_near_duplicates_do_not_count_as_rows() -> None:
    settled = [c for c in settled_rows(40) for _ in range(10)]
    groups = [n for n in range(40) for _ in range(10)]
    found = decision(settled, settled, ["other"] * 400, groups)
    assert (found.outcome, found.why) == (Outcome.NOT_ENOUGH, GateReason.FEW)


def test_category_below_floor_fails_a_better_candidate() -> None:
    settled = ["it"] * 200 + ["hr"] * 20
    before = ["other"] * 100 + ["it"] * 100 + ["hr"] * 20
    now = ["it"] * 200 + ["it"] * 3 + ["hr"] * 17
    found = decision(settled, now, before)
    assert (found.outcome, found.why) == (Outcome.FAILED, GateReason.FLOOR)
    assert [(d.category, d.before, d.now, d.support) for d in found.drops] == [("hr", 1.0, 0.85, 20)]
    assert decision(settled, ["it"] * 202 + ["hr"] * 18, before).outcome is Outcome.PASSED


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


def test_slightly_worse_candidate_never_passes() -> None:
    settled = ["it"] * 100
    found = decision(settled, ["hr"] * 4 + ["it"] * 96, settled)
    assert (found.outcome, found.missing) == (Outcome.NOT_ENOUGH, None)
