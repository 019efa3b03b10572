"""Pictures of an evaluation, one panel each. Without a Japanese font they are lettered in English."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

from matplotlib import font_manager, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bot.domain.evaluation import Evaluation
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
MOST_BARS = 12
"""Maximum number of categories in the picture, those with the most questions; the table has all of them."""
FEWEST_IN_BIN = 10
"""Minimum number of questions of a category or a bin that say something: below it, categories are marked as few."""
CHANGED = 0.05
"""Change of a category's share of right answers from which the alternative text names it."""
BACKGROUND, INK, SOFT = "#FBFAF7", "#1D1C1D", "#6B6B6B"
"""Each picture has a background of its own, so that it is legible in dark mode too."""
NOW, BEFORE = "#0072B2", "#E69F00"
"""Blue and orange differ for every kind of colour blindness (Okabe and Ito)."""


class Picture(NamedTuple):
    """A picture as PNG, and in words what it shows."""

    png: bytes
    alt: str


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


def category_bars(evaluation: Evaluation, words: Words, font: str | None) -> Picture:
    """Draw how many questions of each category are answered right, now and by the version in use.

    Args:
        evaluation: An evaluation of at least one row.
        words: The language of the reader.
        font: A Japanese font (`japanese_font`). Without one the picture is in English and names categories by id.
    """
    categories = evaluation.card.categories
    most = sorted((c for c in categories if categories[c].support), key=lambda c: -categories[c].support)[:MOST_BARS]
    with use_font(words, font) as drawn_words:
        figure, axes = _panel(1.7 + 0.62 * len(most))
        names = [_label(evaluation, one, drawn_words, ids=font is None) for one in most]
        _bars(axes, evaluation, most, drawn_words)
        axes.set_yticks(range(len(most)), names)
        axes.set(xlim=(0, 112), ylim=(len(most) - 0.4, -0.6), xticks=[])
        figure.suptitle(drawn_words("evaluate.picture.title"), x=0.02, ha="left", fontsize=13)
        figure.legend(loc="outside lower left", ncols=2, frameon=False)
        return Picture(_png(figure), _alt(evaluation, words))


def _bars(axes: Axes, evaluation: Evaluation, categories: Sequence[str], words: Words) -> None:
    shown = [(evaluation.card, NOW, words("evaluate.picture.candidate", name=evaluation.release.name))]
    if evaluation.before and evaluation.serving:
        label = words("evaluate.picture.serving", name=evaluation.serving.name)
        shown.insert(0, (evaluation.before, BEFORE, label))
    height = 0.8 / len(shown)
    for at, (card, colour, label) in enumerate(shown):
        for row, category in enumerate(categories):
            share = 100 * (card.categories[category].recall or 0)
            y = row - 0.4 + height * (at + 0.5)
            axes.barh(y, share, height * 0.9, color=colour, label=label if row == 0 else None)
            axes.text(share + 1.5, y, f"{share:.0f}%", va="center", fontsize=9, color=INK)


def _label(evaluation: Evaluation, category: str, words: Words, *, ids: bool) -> str:
    name = shorten(category if ids else _names(evaluation, words).get(category, category), 14)
    if evaluation.card.categories[category].support >= FEWEST_IN_BIN:
        return name
    return "\n".join([name, words("evaluate.picture.few", n=FEWEST_IN_BIN)])


def _names(evaluation: Evaluation, words: Words) -> dict[str, str]:
    return {category.id: words.name(category) for category in evaluation.prompt.categories}


def _alt(evaluation: Evaluation, words: Words) -> str:
    """Return what the picture shows: the shares of right answers, and the categories that changed or are weakest."""
    card, before, names = evaluation.card, evaluation.before, _names(evaluation, words)
    facts = {"name": evaluation.release.name, "now": f"{card.accuracy:.0%}"}
    telling = {c: figures.recall or 0 for c, figures in card.categories.items() if figures.support >= FEWEST_IN_BIN}

    def named(categories: Sequence[str]) -> str:
        return words.listed([names.get(one, one) for one in categories]) or words("evaluate.picture.nothing")

    if before is None or evaluation.serving is None:
        if not telling:
            return words("evaluate.picture.alt_few_alone", n=FEWEST_IN_BIN, **facts)
        weakest = sorted(telling, key=lambda c: telling[c])[:3]
        return words("evaluate.picture.alt_alone", worse=named(weakest), **facts)
    facts |= {"serving": evaluation.serving.name, "before": f"{before.accuracy:.0%}"}
    if not telling:
        return words("evaluate.picture.alt_few", n=FEWEST_IN_BIN, **facts)
    gains = {c: share - (before.categories[c].recall or 0) for c, share in telling.items()}
    better = named([c for c, gain in gains.items() if gain >= CHANGED])
    worse = named([c for c, gain in gains.items() if gain <= -CHANGED])
    return words("evaluate.picture.alt", better=better, worse=worse, **facts)


def certainty_dots(evaluation: Evaluation, words: Words, font: str | None) -> Picture | None:
    """Draw how often the version is right at each certainty; None if too few questions say anything."""
    bins = [one for one in evaluation.card.bins if one.rows >= FEWEST_IN_BIN]
    if len(bins) < 2:
        return None
    name = evaluation.release.name
    with use_font(words, font) as drawn_words:
        figure, axes = _panel(4.5)
        axes.plot([0, 100], [0, 100], color=SOFT, linestyle="--", linewidth=1)
        x, y = [100 * one.confidence for one in bins], [100 * one.right / one.rows for one in bins]
        axes.scatter(x, y, s=[60 + 300 * one.rows / evaluation.card.rows for one in bins], color=NOW)
        axes.set(xlim=(-3, 103), ylim=(-3, 103))
        axes.set_xlabel(drawn_words("evaluate.picture.sure"))
        axes.set_ylabel(drawn_words("evaluate.picture.right"))
        figure.suptitle(drawn_words("evaluate.picture.certainty", name=name), x=0.02, ha="left", fontsize=13)
        points = words.listed([f"{sure:.0f}% → {right:.0f}%" for sure, right in zip(x, y, strict=True)])
        return Picture(_png(figure), words("evaluate.picture.certainty_alt", name=name, points=points))


def _panel(height: float) -> tuple[Figure, Axes]:
    """Return a figure of one panel, 720 pixels wide, with letters that are legible at half of that."""
    figure = Figure(figsize=(4.5, height), dpi=160, layout="constrained", facecolor=BACKGROUND)
    axes = figure.subplots()
    axes.set_facecolor(BACKGROUND)
    axes.tick_params(colors=INK, length=0)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color(SOFT)
    return figure, axes


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor=BACKGROUND)
    return file.getvalue()
