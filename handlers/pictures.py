"""Pictures of an evaluation. They need no screen and, where no Japanese font is installed, no Japanese."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.domain.evaluation import Evaluation
from bot.domain.scorecard import Scorecard
from handlers.texts.escape import shorten
from handlers.texts.words import Words

FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
)
"""Fonts with Japanese on the usual systems, Linux first."""
NUMBERED = 20
"""Categories up to which each cell of the confusion has its number."""


@cache
def japanese_font() -> str | None:
    """The first of FONTS that is installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in FONTS if name in installed), None)


@contextmanager
def lettering(words: Words, font: str | None) -> Iterator[Words]:
    """Draw with a font that has Japanese (`japanese_font`). The words to write: English ones where there is none."""
    with rc_context({"font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"]}):
        yield words if font else Words("en")


def evaluation_png(evaluation: Evaluation, words: Words, font: str | None) -> bytes:
    """The confusion matrix and the reliability of both releases, as a PNG.

    Args:
        evaluation: of at least one row.
        words: in which language; without a font, English is written, and categories by their ids.
        font: a font that has Japanese (`japanese_font`).
    """
    card = evaluation.card
    with lettering(words, font) as written:
        size = max(4.5, 0.32 * len(card.categories))
        figure = Figure(figsize=(size + 5.5, size + 0.5), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(size, 4.5))
        _confusion(left, evaluation, written, ids=font is None)
        _reliability(right, evaluation, written)
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return file.getvalue()


def _confusion(axes: Axes, evaluation: Evaluation, words: Words, *, ids: bool) -> None:
    card, prompt = evaluation.card, evaluation.prompt
    order = list(card.categories)
    known = {category.id: category.name for category in prompt.categories}
    labels = [shorten(name if ids else known.get(name, name), 18) for name in order]
    counts = [[card.confusion.get((settled, answered), 0) for answered in order] for settled in order]
    # By the share of its row, so that a rare category is seen as well as a frequent one.
    shares = [[count / (sum(row) or 1) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(order)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(order)), labels)
    axes.set(title=words("evaluate.picture.confusion"))
    axes.set(xlabel=words("evaluate.picture.answered"), ylabel=words("evaluate.picture.settled"))
    if len(order) <= NUMBERED:
        for y, row in enumerate(counts):
            for x, count in enumerate(row):
                if count:
                    axes.text(x, y, str(count), ha="center", va="center", color="w" if shares[y][x] > 0.5 else "k")


def _reliability(axes: Axes, evaluation: Evaluation, words: Words) -> None:
    ece = evaluation.card.ece
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    _curve(axes, evaluation.card, words("evaluate.picture.candidate"))
    if evaluation.before:
        _curve(axes, evaluation.before, words("evaluate.picture.serving"), color="0.5")
        axes.legend(loc="upper left")
    axes.set(title=words("evaluate.picture.reliability", ece="–" if ece is None else f"{ece:.3f}"))
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.set(xlabel=words("evaluate.picture.confidence"), ylabel=words("evaluate.picture.right"))


def _curve(axes: Axes, card: Scorecard, label: str, color: str = "tab:blue") -> None:
    x = [one.confidence for one in card.bins]
    y = [one.right / one.rows for one in card.bins]
    axes.plot(x, y, color=color, label=label)
    axes.scatter(x, y, s=[8 + 200 * one.rows / card.rows for one in card.bins], color=color)
