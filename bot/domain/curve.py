"""The learning curve: accuracy by number of training rows, and which categories need more rows.

The curve is accuracy(n) = top - drop * half / (n + half). The curve starts at top - drop, rises towards top, and is
half way at n = half. The fit is by weighted least squares; a point's weight is the number of rows it was measured
on. Below `FEWEST_POINTS` points there is no fit, because any curve would match.

The need of a category is a rule of thumb, not a fit: misses are assumed to shrink with the square root of the rows.
Learning curves of classifiers do so at best (Hestness et al., 2017, find exponents of 0.35 and less to 0.5). With n
rows and a recall of r, a category needs n * ((1 - r) / (1 - GOAL))^2 rows, and at least `ROWS_PER_CATEGORY`. The recall
of a release that no row has taught forecasts nothing.
"""

from collections.abc import Mapping, Sequence

from bot.domain.scorecard import Figures, wilson
from bot.domain.thing import Thing

FEWEST_POINTS = 3
"""Minimum number of points with different numbers of rows."""
GOAL = 0.9
"""Target recall of a category."""
FORECAST_SUPPORT = 5
"""Minimum number of held-out rows of a category for its recall to be used."""
ROWS_PER_CATEGORY = 20
"""Minimum number of training rows of a category, regardless of its recall."""
FARTHEST_FORECAST = 500
"""Upper limit of a forecast, in further rows. A category that needs more has a different problem than its rows."""
_HALF_CANDIDATES = tuple(round(1.25**step, 1) for step in range(8, 45))


class Measured(Thing):
    """A point of the curve: a release's training rows, and its hits on held-out rows common to all points."""

    trained: int
    right: int
    of: int

    @property
    def accuracy(self) -> float:
        return self.right / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval."""
        return wilson(self.right, self.of)


class Curve(Thing):
    """A learning curve that rises ever more slowly."""

    top: float
    drop: float
    half: float

    def at(self, rows: float) -> float:
        """Return the expected accuracy with this many training rows, 0..1."""
        return min(1.0, max(0.0, self.top - self.drop * self.half / (rows + self.half)))


class Need(Thing):
    """The approximate number of further corrections (`more`) that would bring a category to `GOAL`."""

    category: str
    rows: int
    recall: float | None
    """Recall of the category, 0..1; None if too few rows are held out or none has taught the release."""
    more: int


def fit(points: Sequence[Measured]) -> Curve | None:
    """Fit a curve to the points; None if there are too few points or more rows did not help."""
    if len({point.trained for point in points}) < FEWEST_POINTS:
        return None
    fits = [fitted for half in _HALF_CANDIDATES if (fitted := _fit_with_half(points, half))]
    return min(fits, key=lambda fitted: fitted[0])[1] if fits else None


def _fit_with_half(points: Sequence[Measured], half: float) -> tuple[float, Curve] | None:
    """Return the squared error of the best curve with this `half`, and the curve.

    In x = half / (n + half) the curve is a straight line. None means that its slope or top is impossible.
    """
    weight = sum(point.of for point in points)
    xs = [half / (point.trained + half) for point in points]
    mean_x = sum(x * point.of for x, point in zip(xs, points, strict=True)) / weight
    mean_y = sum(point.accuracy * point.of for point in points) / weight
    spread = sum(point.of * (x - mean_x) ** 2 for x, point in zip(xs, points, strict=True))
    slope = sum(p.of * (x - mean_x) * (p.accuracy - mean_y) for x, p in zip(xs, points, strict=True)) / spread
    top = mean_y - slope * mean_x
    if slope >= 0 or top > 1:
        return None
    curve = Curve(top=top, drop=-slope, half=half)
    error = sum(point.of * (point.accuracy - curve.at(point.trained)) ** 2 for point in points)
    return error, curve


def needs(
    figures: Mapping[str, Figures], taught: Mapping[str, int], rows: Mapping[str, int], categories: Sequence[str]
) -> list[Need]:
    """Return what these categories still need, the largest need first. Categories without a need are left out.

    Args:
        figures: The serving release's figures on held-out rows, by category.
        taught: Number of rows that the serving release was trained on or takes its examples from, by category.
        rows: Number of training rows today, by category.
        categories: Ids of the prompt's categories.
    """
    found = [_need(one, figures.get(one), taught.get(one, 0), rows.get(one, 0)) for one in categories]
    return sorted((need for need in found if need.more), key=lambda need: (-need.more, need.category))


def _need(category: str, figures: Figures | None, taught: int, rows: int) -> Need:
    recall = figures.recall if taught and figures and figures.support >= FORECAST_SUPPORT else None
    wanted = ROWS_PER_CATEGORY if recall is None else max(ROWS_PER_CATEGORY, taught * ((1 - recall) / (1 - GOAL)) ** 2)
    return Need(category=category, rows=rows, recall=recall, more=min(FARTHEST_FORECAST, max(0, round(wanted) - rows)))


def sorted_points(points: Sequence[Measured]) -> list[Measured]:
    """Return the points ordered by training rows; of points with equal rows, only the last one given."""
    by_rows = {point.trained: point for point in points}
    return [by_rows[trained] for trained in sorted(by_rows)]
