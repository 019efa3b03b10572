"""The tables of an evaluation, as CSV."""

import csv
import io
import unicodedata

from bot.domain.audience import Audience
from bot.domain.dataset import Row
from bot.domain.evaluation import Evaluation


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


def rows_in_changes(evaluation: Evaluation) -> list[str]:
    """Return the ids of the rows in the table of changes."""
    return [*(one.row.id for one in evaluation.changes), *(row.id for row in evaluation.filtered)]


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


FORMULA_SIGNS = ("=", "+", "-", "−", "@")
"""A spreadsheet would compute a cell that begins with one of these (OWASP, CSV injection), also with a wide one."""


def table(head: list[str], rows: list[list[str]]) -> bytes:
    """Return CSV with a byte order mark, so that spreadsheets read Japanese. No cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([[f"'{cell}" if _is_formula(cell) else cell for cell in row] for row in [head, *rows]])
    return text.getvalue().encode("utf-8-sig")


def _is_formula(cell: str) -> bool:
    """Return whether a spreadsheet might compute a cell: what precedes the sign may be invisible, and its form any."""
    seen = "".join(ch for ch in cell[:40] if unicodedata.category(ch) not in {"Cf", "Cc"})
    return cell.startswith(("\t", "\r", "\n")) or unicodedata.normalize("NFKC", seen).lstrip().startswith(FORMULA_SIGNS)
