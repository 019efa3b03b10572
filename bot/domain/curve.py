"""Is it enough: accuracy over rows trained on, and which categories need more of them.

The curve is accuracy(n) = top - drop * half / (n + half): without rows it is top - drop, it rises towards top, and is
half way at n = half. It is fitted by weighted least squares (each point weighs as many rows as it was measured on), and
only where there are `LEAST` points: below that anything fits.

What a category needs is a rule of thumb, not a fit: its misses shrink with the square root of its rows, as learning
curves of classifiers do at best (Hestness et al., 2017, find exponents of 0.35 and less to 0.5). So a category of which
a release finds a share r of the questions, taught by n rows, needs n * ((1 - r) / (1 - GOAL))^2 of them, at least
`FLOOR`. A release that no row has taught says nothing of what rows would bring.
"""

from collections.abc import Mapping, Sequence

from bot.domain.scorecard import Figures, wilson
from bot.domain.thing import Thing

FEWEST_POINTS = 3
"""Points with different numbers of rows."""
GOAL = 0.9
"""The share of a category's questions that should be found."""
FORECAST_SUPPORT = 5
"""Held-out rows of a category below which its recall says nothing."""
ROWS_PER_CATEGORY = 20
"""Rows to train on that every category should have, however good it looks."""
FARTHEST_FORECAST = 500
"""More than so many further rows are no forecast: then it is the category, not the number of rows."""
_HALVES = tuple(round(1.25**step, 1) for step in range(8, 45))


class Measured(Thing):
    """A release on the held-out rows that all of them were measured on, and the rows it was trained on."""

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
    """Rises with the rows that are trained on, and less and less."""

    top: float
    drop: float
    half: float

    def at(self, rows: float) -> float:
        """The accuracy that so many rows lead to expect, 0..1."""
        return min(1.0, max(0.0, self.top - self.drop * self.half / (rows + self.half)))


class Need(Thing):
    """About so many more corrections would bring a category to `GOAL`."""

    category: str
    rows: int
    recall: float | None
    """None where too few rows of it are held out, or none has taught the release."""
    more: int


def fit(points: Sequence[Measured]) -> Curve | None:
    """The curve through these points; None where there are too few of them, or more rows did not help."""
    if len({point.trained for point in points}) < FEWEST_POINTS:
        return None
    fits = [fitted for half in _HALVES if (fitted := _fitted(points, half))]
    return min(fits, key=lambda fitted: fitted[0])[1] if fits else None


def _fitted(points: Sequence[Measured], half: float) -> tuple[float, Curve] | None:
    """The squared error of the best curve of this half, and the curve: a line over half / (n + half)."""
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
    """What each of these categories still needs, the neediest first; those that need nothing are left out.

    Args:
        figures: of the serving release on held-out rows, by category.
        taught: rows that it was trained on or is shown examples from, by category.
        rows: rows to train on today, by category.
        categories: the prompt's.
    """
    found = [_need(one, figures.get(one), taught.get(one, 0), rows.get(one, 0)) for one in categories]
    return sorted((need for need in found if need.more), key=lambda need: (-need.more, need.category))


def _need(category: str, figures: Figures | None, taught: int, rows: int) -> Need:
    recall = figures.recall if taught and figures and figures.support >= FORECAST_SUPPORT else None
    wanted = ROWS_PER_CATEGORY if recall is None else max(ROWS_PER_CATEGORY, taught * ((1 - recall) / (1 - GOAL)) ** 2)
    return Need(category=category, rows=rows, recall=recall, more=min(FARTHEST_FORECAST, max(0, round(wanted) - rows)))


def rising(points: Sequence[Measured]) -> list[Measured]:
    """The points by rows trained on, one for each number of them: the last one given."""
    by_rows = {point.trained: point for point in points}
    return [by_rows[trained] for trained in sorted(by_rows)]
