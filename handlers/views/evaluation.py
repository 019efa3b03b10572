"""An evaluation as text and as CSV tables."""

import csv
import io

from bot.domain.audience import Audience
from bot.domain.dataset import Row
from bot.domain.evaluation import Evaluation
from bot.domain.gate import Outcome
from bot.domain.scorecard import Figures
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.finetune import name_of
from handlers.views.gate import broken_lines, decision_lines, detail_lines, filtered_lines, learning_lines

CATEGORIES_IN_TEXT = 15
"""Maximum number of categories in the text; the table of categories has all of them."""


def report(evaluation: Evaluation, words: Words) -> str:
    """Return the decision and all figures as mrkdwn, to be posted beside the picture. It holds no statistics first."""
    release, card = evaluation.release, evaluation.card
    lines = [*learning_lines(evaluation, words), *decision_lines(evaluation, words)]
    lines.append(words("evaluate.title", model=escaped(str(release.model)), release=release.id))
    lines += _figures(evaluation, words) if card.rows else [words("evaluate.none")]
    lines += ["", *broken_lines(evaluation, words), *filtered_lines(evaluation, words)]
    lines += detail_lines(evaluation, words)
    if decision := evaluation.decision:
        passed = decision.outcome is Outcome.PASSED
        lines.append(words("evaluate.next" if passed else "gate.override.how", release=release.id))
    return "\n".join(lines)


def _figures(evaluation: Evaluation, words: Words) -> list[str]:
    card = evaluation.card
    low, high = card.interval
    right = {"percent": f"{card.accuracy:.1%}", "right": card.right, "rows": card.rows}
    lines = [words("evaluate.accuracy", low=f"{low:.1%}", high=f"{high:.1%}", **right)]
    if evaluation.serving and evaluation.before:
        model = escaped(str(evaluation.serving.model))
        lines.append(words("evaluate.before", model=model, percent=f"{evaluation.before.accuracy:.1%}"))
    lines += [_calibration(evaluation, words), *_catch_all(evaluation, words), _cost(evaluation, words)]
    return [*lines, *_categories(evaluation, words)]


def _calibration(evaluation: Evaluation, words: Words) -> str:
    def shown(ece: float | None) -> str:
        return words("evaluate.unsure") if ece is None else f"{ece:.3f}"

    before = evaluation.before.ece if evaluation.before else None
    return words("evaluate.calibration", ece=shown(evaluation.card.ece), before=shown(before))


def _catch_all(evaluation: Evaluation, words: Words) -> list[str]:
    other = next(c for c in evaluation.prompt.categories if c.other)
    figures = evaluation.card.categories.get(other.id)
    if figures is None:
        return []
    recall, precision = _percent(figures.recall), _percent(figures.precision)
    return [words("evaluate.catch_all", category=escaped(other.name), recall=recall, precision=precision)]


def _cost(evaluation: Evaluation, words: Words) -> str:
    card = evaluation.card
    return words(
        "evaluate.cost",
        p50=round(card.latency_p50) or "–",
        p95=round(card.latency_p95) or "–",
        tokens_in=round(card.tokens_in / card.rows),
        tokens_out=round(card.tokens_out / card.rows),
        usd=_price(evaluation.usd, words),
    )


def _price(usd: float | None, words: Words) -> str:
    if usd is None:
        return words("evaluate.no_price")
    return f"${usd:.6f}" if usd else words("evaluate.free")


def _categories(evaluation: Evaluation, words: Words) -> list[str]:
    categories = evaluation.card.categories
    worst = sorted(categories, key=lambda c: (_recall(categories[c]), c))[:CATEGORIES_IN_TEXT]
    lines = [
        words(
            "evaluate.category",
            category=name_of(evaluation.prompt, category),
            precision=_percent(categories[category].precision),
            recall=_percent(categories[category].recall),
            support=categories[category].support,
        )
        for category in worst
    ]
    if len(categories) > CATEGORIES_IN_TEXT:
        lines.append(words("evaluate.more", n=len(categories) - CATEGORIES_IN_TEXT))
    return lines


def _recall(figures: Figures) -> float:
    return 1.0 if figures.recall is None else figures.recall


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def changes_table(evaluation: Evaluation) -> bytes:
    """Return every settled row that was fixed or broken, or stopped by a content filter, as CSV for a spreadsheet.

    The text of a question that was not asked in public is left out: a channel may read the file.
    """
    head = ["change", "split", "row", "question", "settled", "serving", "candidate"]
    changed = [
        ["fixed" if one.fixed else "broken", *_row_cells(one.row), one.before, one.now] for one in evaluation.changes
    ]
    named = {one.row.id for one in evaluation.changes}
    stopped = [["filtered", *_row_cells(row), "", ""] for row in evaluation.filtered if row.id not in named]
    return table(head, [*changed, *stopped])


def _row_cells(row: Row) -> list[str]:
    text = row.text if row.audience is Audience.PUBLIC else ""
    return [row.split.value, row.id, text, row.category]


def categories_table(evaluation: Evaluation) -> bytes:
    """Return the figures of every category and its row of the confusion matrix, as CSV for a spreadsheet."""
    card = evaluation.card
    names = list(card.categories)
    rows = [
        [
            name,
            f"{figures.support}",
            "" if figures.precision is None else f"{figures.precision:.4f}",
            "" if figures.recall is None else f"{figures.recall:.4f}",
            *(f"{card.confusion.get((name, answered), 0)}" for answered in names),
        ]
        for name, figures in card.categories.items()
    ]
    return table(["settled", "rows", "precision", "recall", *(f"answered {name}" for name in names)], rows)


FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet would compute a cell that begins with one of these (OWASP, CSV injection), also with a wide one."""


def table(head: list[str], rows: list[list[str]]) -> bytes:
    """Return CSV with a byte order mark, so that spreadsheets read Japanese. No cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([[f"'{cell}" if cell.startswith(FORMULA_SIGNS) else cell for cell in row] for row in rows])
    return text.getvalue().encode("utf-8-sig")
