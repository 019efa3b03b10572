"""The comparison of two releases: exact McNemar and the clustered interval, checked against scipy."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.comparison import compare, mcnemar
from bot.domain.scorecard import Judged
from tests.bot.domain.judged import judged

PAIRED = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=80)


def answers(right: list[bool], groups: list[int] | None = None) -> list[Judged]:
    return judged(["it"] * len(right), ["it" if one else "hr" for one in right], groups=groups)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_matches_scipys_two_sided_binomial_test(better: int, worse: int) -> None:
    wanted = scipy.stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert mcnemar(better, worse) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_is_exact_for_thousands_of_pairs() -> None:
    assert mcnemar(3_000, 2_500) == pytest.approx(scipy.stats.binomtest(2_500, 5_500).pvalue, rel=1e-6)


@settings(max_examples=25)
@given(PAIRED)
def test_fixed_and_broken_rows_match_the_answers(rows: list[tuple[bool, bool]]) -> None:
    now, before = (list(one) for one in zip(*rows, strict=True))
    found = compare(answers(now), answers(before))
    assert found.fixed == tuple(f"row{n}" for n, (new, old) in enumerate(rows) if new and not old)
    assert found.broken == tuple(f"row{n}" for n, (new, old) in enumerate(rows) if old and not new)
    assert (found.better, found.worse) == (len(found.fixed), len(found.broken))
    assert found.difference == pytest.approx(np.mean(now) - np.mean(before))


@settings(max_examples=25)
@given(PAIRED)
def test_error_matches_scipys_sem_without_near_duplicates(rows: list[tuple[bool, bool]]) -> None:
    now, before = (list(one) for one in zip(*rows, strict=True))
    gains = np.array(now, int) - np.array(before, int)
    assert compare(answers(now), answers(before)).error == pytest.approx(scipy.stats.sem(gains), abs=1e-12)


@settings(max_examples=25)
@given(PAIRED, st.integers(2, 5))
def test_near_duplicates_add_no_evidence(rows: list[tuple[bool, bool]], copies: int) -> None:
    now, before = (list(one) for one in zip(*rows, strict=True))
    groups = [n for n in range(len(rows)) for _ in range(copies)]
    once = compare(answers(now), answers(before))
    often = compare(
        answers([one for one in now for _ in range(copies)], groups),
        answers([one for one in before for _ in range(copies)], groups),
    )
    assert often.error == pytest.approx(once.error)
    assert often.p == once.p
    assert (often.groups, often.rows) == (once.groups, copies * once.rows)


def test_single_group_has_infinite_error() -> None:
    found = compare(answers([True, True], [1, 1]), answers([False, False], [1, 1]))
    assert math.isinf(found.error)
    assert found.p == 1.0


def test_interval_covers_the_true_difference() -> None:
    """About 95% of the intervals contain the true difference of 0.05, with groups of one to four equal answers."""
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        sizes = random.integers(1, 5, 150)
        groups = np.repeat(np.arange(150), sizes)
        gain = random.choice([-1, 0, 1], 150, p=[0.05, 0.85, 0.10])[groups]
        now, before = [bool(one >= 0) for one in gain], [bool(one <= 0) for one in gain]
        low, high = compare(answers(now, groups.tolist()), answers(before, groups.tolist())).interval
        covered += low <= 0.05 <= high
    assert 0.90 <= covered / 200 <= 0.98


def test_compare_refuses_different_rows() -> None:
    with pytest.raises(ValueError, match="same rows"):
        compare(answers([True, True]), answers([True]))
