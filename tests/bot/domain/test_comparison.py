"""Pairing two releases: exact McNemar and the clustered interval, against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, sem

from bot.domain.comparison import compare, mcnemar
from bot.domain.scorecard import Judged
from tests.bot.domain.judged import judged

PAIRED = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=80)


def of(right: list[bool], groups: list[int] | None = None) -> list[Judged]:
    return judged(["it"] * len(right), ["it" if one else "hr" for one in right], groups=groups)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_two_sided_binomial_test(better: int, worse: int) -> None:
    wanted = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert mcnemar(better, worse) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_takes_thousands_of_pairs() -> None:
    assert mcnemar(3_000, 2_500) == pytest.approx(binomtest(2_500, 5_500).pvalue, rel=1e-6)


@settings(max_examples=40)
@given(PAIRED)
def test_fixed_and_broken_are_the_rows_that_only_one_has_right(rows: list[tuple[bool, bool]]) -> None:
    now, before = (list(one) for one in zip(*rows, strict=True))
    found = compare(of(now), of(before))
    assert found.fixed == tuple(f"row{n}" for n, (new, old) in enumerate(rows) if new and not old)
    assert found.broken == tuple(f"row{n}" for n, (new, old) in enumerate(rows) if old and not new)
    assert (found.better, found.worse) == (len(found.fixed), len(found.broken))
    assert found.difference == pytest.approx(np.mean(now) - np.mean(before))


@settings(max_examples=40)
@given(PAIRED)
def test_without_near_copies_the_error_is_the_usual_one(rows: list[tuple[bool, bool]]) -> None:
    now, before = (list(one) for one in zip(*rows, strict=True))
    gains = np.array(now, int) - np.array(before, int)
    assert compare(of(now), of(before)).error == pytest.approx(sem(gains), abs=1e-12)


@settings(max_examples=40)
@given(PAIRED, st.integers(2, 5))
def test_copies_of_a_question_are_no_more_evidence(rows: list[tuple[bool, bool]], copies: int) -> None:
    now, before = (list(one) for one in zip(*rows, strict=True))
    groups = [n for n in range(len(rows)) for _ in range(copies)]
    once = compare(of(now), of(before))
    often = compare(
        of([one for one in now for _ in range(copies)], groups),
        of([one for one in before for _ in range(copies)], groups),
    )
    assert often.error == pytest.approx(once.error)
    assert often.p == once.p
    assert (often.groups, often.rows) == (once.groups, copies * once.rows)


def test_one_group_alone_says_nothing() -> None:
    found = compare(of([True, True], [1, 1]), of([False, False], [1, 1]))
    assert math.isinf(found.error)
    assert found.p == 1.0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Groups of one to four alike answers, a true difference of 0.05: 95% of the intervals hold it, give or take."""
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        sizes = random.integers(1, 5, 150)
        groups = np.repeat(np.arange(150), sizes)
        gain = random.choice([-1, 0, 1], 150, p=[0.05, 0.85, 0.10])[groups]
        now, before = [bool(one >= 0) for one in gain], [bool(one <= 0) for one in gain]
        low, high = compare(of(now, groups.tolist()), of(before, groups.tolist())).interval
        covered += low <= 0.05 <= high
    assert 0.90 <= covered / 200 <= 0.98


def test_different_rows_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same rows"):
        compare(of([True, True]), of([True]))
