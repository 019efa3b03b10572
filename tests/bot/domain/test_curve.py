"""The learning curve and the needs of categories."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.curve import (
    FARTHEST_FORECAST,
    FEWEST_POINTS,
    FORECAST_SUPPORT,
    GOAL,
    ROWS_PER_CATEGORY,
    Curve,
    Measured,
    fit,
    needs,
    sorted_points,
)
from bot.domain.scorecard import Figures

POINTS = st.lists(
    st.integers(1, 500).flatmap(
        lambda of: st.builds(Measured, trained=st.integers(0, 2_000), right=st.integers(0, of), of=st.just(of))
    ),
    max_size=8,
)


@given(POINTS)
def test_curve_rises_and_needs_enough_points(points: list[Measured]) -> None:
    curve = fit(points)
    if len({point.trained for point in points}) < FEWEST_POINTS:
        assert curve is None
    if curve:
        values = [curve.at(rows) for rows in range(0, 5_000, 250)]
        assert values == sorted(values)
        assert all(0 <= value <= 1 for value in values)
        assert curve.top <= 1


@given(st.floats(0.5, 1), st.floats(0.1, 0.5), st.floats(10, 1_000))
def test_fit_recovers_a_known_curve(top: float, drop: float, half: float) -> None:
    true = Curve(top=top, drop=drop, half=half)
    points = [
        Measured(trained=n, right=round(true.at(n) * 100_000), of=100_000) for n in (0, 50, 100, 200, 400, 800, 1_600)
    ]
    found = fit(points)
    assert found
    for rows in (0, 75, 300, 1_200, 2_400):
        assert found.at(rows) == pytest.approx(true.at(rows), abs=0.015)


def test_fit_is_none_when_accuracy_falls() -> None:
    worse = [Measured(trained=n, right=90 - n // 10, of=100) for n in (0, 100, 200, 300)]
    assert fit(worse) is None


def test_rising_sorts_points_and_keeps_the_last() -> None:
    points = [Measured(trained=n, right=right, of=10) for n, right in ((5, 1), (0, 2), (5, 3))]
    assert [(point.trained, point.right) for point in sorted_points(points)] == [(0, 2), (5, 3)]
    low, high = points[0].interval
    assert low < points[0].accuracy < high


@given(
    st.integers(1, 400),
    st.integers(0, 400),
    st.integers(FORECAST_SUPPORT, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
)
def test_need_follows_the_stated_rule(taught: int, rows: int, found: tuple[int, int]) -> None:
    right, support = found
    figures = {"it": Figures(support=support, answered=support, right=right)}
    need = next(iter(needs(figures, {"it": taught}, {"it": rows}, ["it"])), None)
    wanted = max(ROWS_PER_CATEGORY, taught * ((1 - right / support) / (1 - GOAL)) ** 2)
    more = min(FARTHEST_FORECAST, max(0, round(wanted) - rows))
    assert (need.more if need else 0) == more
    if need:
        assert need.recall is not None
        assert math.isclose(need.recall, right / support)


def test_needs_are_sorted_and_have_a_minimum() -> None:
    figures = {"labor": Figures(support=20, answered=20, right=10), "other": Figures(support=4, answered=1, right=0)}
    rows = {"labor": 40, "other": 30, "it": 5}
    found = needs(figures, rows, rows, ["labor", "it", "hr", "other"])
    assert [(need.category, need.more) for need in found] == [
        ("labor", FARTHEST_FORECAST),
        ("hr", ROWS_PER_CATEGORY),
        ("it", ROWS_PER_CATEGORY - 5),
    ]


def test_recall_of_untaught_category_is_ignored() -> None:
    figures = {"labor": Figures(support=20, answered=20, right=4)}
    assert needs(figures, {}, {"labor": ROWS_PER_CATEGORY}, ["labor"]) == []
    (need,) = needs(figures, {}, {"labor": ROWS_PER_CATEGORY - 1}, ["labor"])
    assert (need.more, need.recall) == (1, None)
