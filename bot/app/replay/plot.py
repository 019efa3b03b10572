"""The results of a replay: the plot, and the corrections that the order of the review queue saves."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bot.app.replay.show import Point
from handlers.texts.words import Words


def plot(points: Sequence[Point], title: str, file: Path, words: Words) -> None:
    """Draw accuracy over corrections, with 95% intervals, as a PNG. Candidates that never served are hollow."""
    from matplotlib.figure import Figure

    from handlers.pictures import BACKGROUND, NOW, japanese_font, use_font

    x = [point.corrections for point in points]
    y = [point.accuracy * 100 for point in points]
    low, high = zip(*(point.interval for point in points), strict=True)
    with use_font(words, japanese_font()) as text:
        figure = Figure(figsize=(6, 4), dpi=120, layout="constrained", facecolor=BACKGROUND)
        axes = figure.subplots()
        axes.set_facecolor(BACKGROUND)
        served = [at for at, point in enumerate(points) if point.switched or at == 0]
        below, above = ([100 * ends[at] for at in served] for ends in (low, high))
        axes.fill_between([x[at] for at in served], below, above, color=NOW, alpha=0.15, linewidth=0)
        axes.plot([x[at] for at in served], [y[at] for at in served], marker="o", color=NOW)
        # A candidate that was not switched to never answered anybody, so the curve does not run through it.
        kept = [at for at in range(len(points)) if at not in served]
        axes.plot([x[at] for at in kept], [y[at] for at in kept], "o", color=NOW, markerfacecolor=BACKGROUND)
        # A name of a file may hold bytes that are no UTF-8, and dollar signs, which would begin a formula.
        shown = title.encode(errors="surrogateescape").decode(errors="replace")
        axes.set_title(shown, parse_math=False)
        axes.set(xlabel=text("cli.replay.x"), ylim=(0, 100))
        axes.set_ylabel(text("cli.replay.y", n=points[0].of))
        axes.grid(alpha=0.3)
        figure.savefig(file)


def saved_by_queue(queue: Sequence[Point], other: Sequence[Point]) -> tuple[float, int, int] | None:
    """Return the best accuracy that both orders reach, and the number of corrections that each needs to reach it.

    Accuracy is interpolated linearly between two points. The result is None if the other order never gets better.
    """
    goal = min(max(point.accuracy for point in points) for points in (queue, other))
    if goal <= other[0].accuracy:
        return None
    return goal, corrections_needed(queue, goal), corrections_needed(other, goal)


def corrections_needed(points: Sequence[Point], goal: float) -> int:
    """Return the number of corrections at which the accuracy first reaches the goal; all of them if it never does."""
    if points[0].accuracy >= goal:
        return points[0].corrections
    for before, after in pairwise(points):
        if before.accuracy < goal <= after.accuracy:
            share = (goal - before.accuracy) / (after.accuracy - before.accuracy)
            return round(before.corrections + share * (after.corrections - before.corrections))
    return points[-1].corrections
