"""Pictures of an evaluation. They need no screen, and without a Japanese font they are lettered in English."""

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
"""Japanese fonts of the usual systems, Linux first."""
MOST_NUMBERED = 20
"""Maximum number of categories for which the cells of the confusion matrix show their counts."""


@cache
def japanese_font() -> str | None:
    """Return the first of `FONTS` that is installed, or None."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in FONTS if name in installed), None)


@contextmanager
def use_font(words: Words, font: str | None) -> Iterator[Words]:
    """Use this font for all drawing until the block ends.

    Args:
        words: The language of the reader.
        font: A Japanese font (`japanese_font`), or None if there is none.

    Yields:
        The words to draw: `words`, or English ones without a Japanese font.
    """
    with rc_context({"font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"]}):
        yield words if font else Words("en")


def evaluation_png(evaluation: Evaluation, words: Words, font: str | None) -> bytes:
    """Draw the confusion matrix and the reliability curves of both releases, and return them as a PNG.

    Args:
        evaluation: An evaluation of at least one row.
        words: The language of the reader.
        font: A Japanese font (`japanese_font`). Without one the picture is in English and names categories by id.
    """
    card = evaluation.card
    with use_font(words, font) as drawn_words:
        size = max(4.5, 0.32 * len(card.categories))
        figure = Figure(figsize=(size + 5.5, size + 0.5), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(size, 4.5))
        _confusion(left, evaluation, drawn_words, ids=font is None)
        _reliability(right, evaluation, drawn_words)
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return file.getvalue()


def _confusion(axes: Axes, evaluation: Evaluation, words: Words, *, ids: bool) -> None:
    card, prompt = evaluation.card, evaluation.prompt
    order = list(card.categories)
    known = {category.id: category.name for category in prompt.categories}
    labels = [shorten(name if ids else known.get(name, name), 18) for name in order]
    counts = [[card.confusion.get((settled, answered), 0) for answered in order] for settled in order]
    # Shares of each row, so that a rare category is as visible as a frequent one.
    shares = [[count / (sum(row) or 1) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(order)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(order)), labels)
    axes.set(title=words("evaluate.picture.confusion"))
    axes.set(xlabel=words("evaluate.picture.answered"), ylabel=words("evaluate.picture.settled"))
    if len(order) <= MOST_NUMBERED:
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
    x = [confidence_bin.confidence for confidence_bin in card.bins]
    y = [confidence_bin.right / confidence_bin.rows for confidence_bin in card.bins]
    axes.plot(x, y, color=color, label=label)
    sizes = [8 + 200 * confidence_bin.rows / card.rows for confidence_bin in card.bins]
    axes.scatter(x, y, s=sizes, color=color)
