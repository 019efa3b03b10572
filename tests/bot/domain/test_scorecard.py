"""The figures of a scorecard, checked against scikit-learn, scipy and manual sums."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.scorecard import rows_key, scorecard, wilson
from tests.bot.domain.judged import judged

CATEGORY = st.sampled_from(["labor", "hr", "it", "other"])
PAIRS = st.lists(st.tuples(CATEGORY, CATEGORY), min_size=1, max_size=60)


@settings(max_examples=30)
@given(PAIRS)
def test_figures_match_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    settled, answered = zip(*pairs, strict=True)
    card = scorecard("r", judged(settled, answered))
    assert card.accuracy == pytest.approx(accuracy_score(settled, answered))
    labels = list(card.categories)
    assert labels == sorted({*settled, *answered})
    precision, recall, _, support = precision_recall_fscore_support(
        settled, answered, labels=labels, zero_division=np.nan
    )
    for n, figures in enumerate(card.categories.values()):
        assert figures.support == support[n]
        for ours, theirs in ((figures.precision, precision[n]), (figures.recall, recall[n])):
            assert math.isnan(theirs) if ours is None else ours == pytest.approx(theirs)
    counts = confusion_matrix(settled, answered, labels=[*labels, "nothing"])
    for y, row in enumerate(labels):
        for x, column in enumerate(labels):
            assert card.confusion.get((row, column), 0) == counts[y][x]


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_matches_scipys_wilson(counts: tuple[int, int]) -> None:
    right, rows = counts
    theirs = scipy.stats.binomtest(right, rows).proportion_ci(method="wilson")
    assert wilson(right, rows) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.none() | st.floats(0, 1)), max_size=80))
def test_ece_is_the_mean_gap_of_ten_bins(rows: list[tuple[bool, float | None]]) -> None:
    settled = ["it" if right else "hr" for right, _ in rows]
    confidences = [sure for _, sure in rows]
    card = scorecard("r", judged(settled, ["it"] * len(rows), confidences=confidences))
    with_confidence = [(right, sure) for right, sure in rows if sure is not None]
    if not with_confidence:
        assert card.ece is None
        return
    right, sure = np.array([r for r, _ in with_confidence], float), np.array([s for _, s in with_confidence])
    which = np.minimum((sure * 10).astype(int), 9)
    wanted = sum(abs(right[which == b].sum() - sure[which == b].sum()) for b in range(10)) / len(with_confidence)
    assert card.ece == pytest.approx(wanted)
    assert sum(one.rows for one in card.bins) == len(with_confidence)


def test_calibrated_model_has_no_calibration_error() -> None:
    settled = ["it"] * 8 + ["hr"] * 2
    assert scorecard("r", judged(settled, ["it"] * 10, confidences=[0.8] * 10)).ece == pytest.approx(0)
    assert scorecard("r", judged(settled, ["it"] * 10, confidences=[1.0] * 10)).ece == pytest.approx(0.2)


def test_latency_percentiles_and_token_sums() -> None:
    card = scorecard("r", judged(["it"] * 100, ["it"] * 100))
    assert (card.latency_p50, card.latency_p95) == (49.5, 94)
    assert (card.tokens_in, card.tokens_out) == (1_000, 200)


def test_scorecard_without_rows_is_empty() -> None:
    card = scorecard("r", [])
    assert (card.rows, card.accuracy, card.ece, card.interval) == (0, 0.0, None, (0.0, 1.0))


def test_rows_key_depends_on_rows_and_categories() -> None:
    rows = [one.row for one in judged(["it", "hr"], ["it", "it"])]
    assert rows_key(rows) == rows_key(rows[::-1])
    assert rows_key(rows) != rows_key(rows[:1])
    assert rows_key(rows) != rows_key([rows[0].model_copy(update={"category": "hr"}), rows[1]])
