"""The output of an import on the command line."""

from collections import Counter
from collections.abc import Iterator

from bot.dataset.importing import ImportPreview, ImportReport
from bot.domain.labelled import BadLine, Flaw
from handlers.texts.words import Words

LONGEST_SHOWN = 100


def preview_lines(seen: ImportPreview, words: Words) -> Iterator[str]:
    """Yield the first rows, and how many each category would get."""
    for row in seen.rows:
        yield words("cli.import.row", category=row.category, text=" ".join(row.text.split())[:LONGEST_SHOWN])
    for category, n in seen.by_category.items():
        yield words("cli.import.count", category=category, n=n)


def problem_lines(report: ImportReport | ImportPreview, file: str, words: Words) -> Iterator[str]:
    """Yield a line for each bad line of a file, and one for each category that is none of ours."""
    unknown = Counter(bad.facts["category"] for bad in report.bad if bad.why is Flaw.UNKNOWN_CATEGORY)
    for bad in report.bad:
        if bad.why is not Flaw.UNKNOWN_CATEGORY:
            yield _problem(bad, file, words, f"cli.import.flaw.{bad.why.value}")
        elif n := unknown.pop(bad.facts["category"], 0):
            key = "cli.import.nearest" if bad.facts["nearest"] else "cli.import.flaw.unknown_category"
            yield _problem(bad, file, words, key, n=n)


def skipped_lines(report: ImportReport | ImportPreview, words: Words) -> Iterator[str]:
    """Yield how many lines were skipped, for each reason."""
    for why, n in report.skipped.items():
        yield words(f"cli.import.skip.{why.value}", n=n)


def lost_lines(report: ImportReport | ImportPreview) -> int:
    """Return the number of lines that are not imported because they are bad."""
    return sum(bad.lines for bad in report.bad)


def _problem(bad: BadLine, file: str, words: Words, key: str, **facts: object) -> str:
    place = "span" if bad.end else "cell" if bad.column else "bad"
    why = words(key, **bad.facts, **facts)
    file = f"{file} [{bad.sheet}]" if bad.sheet else file
    return words(f"cli.import.{place}", file=file, line=bad.line, end=bad.end, column=bad.column, why=why)
