"""The threshold for unsure answers, and its guarantee on rows that were not used to choose it."""

from datetime import UTC, datetime
from random import Random

import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.certainty import (
    ASSURANCE,
    FEWEST_JUDGED,
    SHARES,
    TARGET,
    OutOfScope,
    cuts,
    lowest_threshold,
    upper_bound,
)
from bot.domain.scorecard import Judged, Result
from tests.bot.things import row

CATCH_ALL = "other"


def judged(right: str, answered: str, confidence: float | None, n: int = 0) -> Judged:
    result = Result(
        release_id="r1",
        text_key=str(n),
        category=answered,
        confidence=confidence,
        latency_ms=1,
        tokens_in=1,
        tokens_out=1,
        at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return Judged(row=row(f"q{n}", right), result=result)


def answers_with(*confidences: float, right: bool = True) -> list[Judged]:
    return [judged("it", "it" if right else "labor", c, n) for n, c in enumerate(confidences)]


ANSWERS = st.builds(
    judged,
    st.sampled_from(["it", "labor", CATCH_ALL]),
    st.sampled_from(["it", "labor", CATCH_ALL]),
    st.none() | st.floats(0, 1),
)


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.05, 0.005]))
def test_upper_bound_matches_scipys_clopper_pearson(wrong: int, of: int, alpha: float) -> None:
    wrong = min(wrong, of)
    expected = 1.0 if wrong == of else float(scipy.stats.beta.ppf(1 - alpha, wrong + 1, of - wrong))
    assert upper_bound(wrong, of, alpha) == pytest.approx(expected, abs=1e-9)


@given(st.lists(ANSWERS, max_size=120))
def test_cuts_are_ordered_and_count_accepted_answers(answers: list[Judged]) -> None:
    found = cuts(answers)
    with_confidence = [a for a in answers if a.result.confidence is not None]
    assert bool(found) == (len(with_confidence) >= FEWEST_JUDGED)
    assert [c.threshold for c in found] == sorted({c.threshold for c in found})
    assert len(found) <= len(SHARES)
    for cut in found:
        passed = [a for a in with_confidence if (a.result.confidence or 0) >= cut.threshold]
        assert (cut.accepted, cut.of) == (len(passed), len(with_confidence))
        assert cut.wrong == sum(not a.right for a in passed)
        assert cut.risk <= cut.bound
    if found:
        assert (found[0].threshold, found[0].coverage) == (0.0, 1.0)


@given(st.lists(ANSWERS, min_size=FEWEST_JUDGED, max_size=80), st.randoms(use_true_random=False))
def test_candidate_thresholds_do_not_depend_on_right_answers(answers: list[Judged], random: Random) -> None:
    shuffled = [a.row.category for a in answers]
    random.shuffle(shuffled)
    other = [judged(c, a.result.category, a.result.confidence) for c, a in zip(shuffled, answers, strict=True)]
    assert [c.threshold for c in cuts(other)] == [c.threshold for c in cuts(answers)]


@given(st.lists(ANSWERS, max_size=120))
def test_lowest_is_the_first_threshold_below_target(answers: list[Judged]) -> None:
    found = cuts(answers)
    chosen = lowest_threshold(found)
    if chosen:
        assert all(c.bound <= TARGET for c in found if c.threshold >= chosen.threshold)
        below = [c for c in found if c.threshold < chosen.threshold]
        assert not below or below[-1].bound > TARGET
        assert 2 * chosen.accepted >= chosen.of
    else:
        assert not found or found[-1].bound > TARGET


def test_no_threshold_is_chosen_from_few_rows() -> None:
    assert cuts(answers_with(*[0.9] * (FEWEST_JUDGED - 1))) == []
    assert lowest_threshold(cuts(answers_with(*[0.9] * 40))) is None


def test_lowest_is_zero_when_right_none_when_wrong() -> None:
    many = [n / 200 for n in range(200)]
    chosen = lowest_threshold(cuts(answers_with(*many)))
    assert chosen
    assert chosen.threshold == 0.0
    assert lowest_threshold(cuts(answers_with(*many, right=False))) is None


def test_risk_stays_below_target_on_fresh_rows() -> None:
    random = Random(1)

    def draw() -> list[Judged]:
        """Return answers that are right with the probability c ** 0.2, where c is the confidence."""
        confidences = [random.random() for _ in range(200)]
        return [judged("it", "it" if random.random() < c**0.2 else "labor", c) for c in confidences]

    chosen = [lowest_threshold(cuts(draw())) for _ in range(200)]
    thresholds = [cut.threshold for cut in chosen if cut]
    risks = [1 - (1 - t**1.2) / 1.2 / (1 - t) for t in thresholds]
    assert len(thresholds) > 50
    assert sum(risk > TARGET for risk in risks) <= (1 - ASSURANCE) * len(chosen)
    assert max(risks) > TARGET / 2, "the target is not met by refusing to answer"


def test_out_of_scope_counts_catch_all_answers() -> None:
    answers = [
        judged(CATCH_ALL, CATCH_ALL, 0.9),
        judged(CATCH_ALL, CATCH_ALL, 0.2),
        judged(CATCH_ALL, "it", 0.2),
        judged(CATCH_ALL, "it", 0.9),
        judged("it", CATCH_ALL, 0.9),
        judged("it", "it", 0.1),
    ]
    without_threshold = OutOfScope.of(answers, CATCH_ALL)
    assert (without_threshold.rows, without_threshold.named, without_threshold.caught, without_threshold.said) == (
        4,
        2,
        2,
        3,
    )
    at_half = OutOfScope.of(answers, CATCH_ALL, 0.5)
    assert (at_half.named, at_half.caught, at_half.said) == (1, 3, 2)
    assert (at_half.recall, at_half.precision, at_half.share_caught) == (0.25, 0.5, 0.75)
    nothing = OutOfScope.of([], CATCH_ALL)
    assert (nothing.recall, nothing.precision, nothing.share_caught) == (None, None, None)


@given(st.lists(ANSWERS, max_size=60), st.floats(0, 1), st.floats(0, 1))
def test_higher_threshold_never_catches_fewer(answers: list[Judged], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert OutOfScope.of(answers, CATCH_ALL, low).caught <= OutOfScope.of(answers, CATCH_ALL, high).caught
