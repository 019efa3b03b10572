"""Tables: text with a separator, perhaps with lines above the header."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from bot.dataset.reading.columns import Selection, select
from bot.dataset.reading.exports import LOOKED_AT, known_column, labelled
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, SkippedLine
from bot.domain.thing import Thing

SEPARATORS = (",", "\t", ";", "|")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""A line with its end, as `csv` needs it."""
LINES_ABOVE = 5
"""Most records above a header, such as a title."""


class TableRow(NamedTuple):
    """The fields of a row, and its first and last line."""

    start: int
    end: int
    fields: list[str]


class TableHeader(Thing):
    """The header of a table, its chosen columns, and the rows above."""

    at: TableRow
    chosen: Selection
    above: list[TableRow]
    separator: str = ""


def read_table(text: str, options: ReadingOptions) -> Iterator[Labelled | BadLine | SkippedLine]:
    """Yield each record below the header. Blank lines are skipped."""
    lines = _LINE.findall(text)
    header = _header(lines, options)
    if isinstance(header, BadLine):
        yield header
        return
    yield from lost_above(header)
    names = header.at.fields
    first = islice((each for each in _below(header, lines) if isinstance(each, TableRow)), LOOKED_AT)
    options = with_known_labels(header, [*first], options)
    header = header.model_copy(update={"chosen": select(tuple(names), options.text, options.category)})
    # A table is parsed again and again, because its rows take ten times its memory.
    known = _labels_of_lines(_below(header, lines), names, header)
    for each in _below(header, lines):
        if isinstance(each, BadLine):
            yield each
        elif _swallows(each, lines, known, header):
            yield _open_quote(each.start, each.end)
        else:
            yield row_of(each, header, options)


def header_among(top: Sequence[TableRow], options: ReadingOptions) -> TableHeader | None:
    """Return the first row that names a column for the question and one for the category."""
    for number, row in enumerate(top):
        chosen = select(tuple(row.fields), options.text, options.category)
        if chosen.text and chosen.category:
            return TableHeader(at=row, chosen=chosen, above=list(top[:number]))
    return None


def with_known_labels(header: TableHeader, rows: Sequence[TableRow], options: ReadingOptions) -> ReadingOptions:
    """Return the options with the category column that holds labels of ours, as `known_column` chooses."""
    records = [_as_record(header.at.fields, row.fields) for row in rows[:LOOKED_AT]] if options.is_label else []
    return known_column(records, options)


def no_header(first: TableRow) -> BadLine:
    """Return the flaw of a table without a header; it names what stands in its place."""
    return BadLine(line=first.end, why=Flaw.NO_HEADER, facts={"columns": ", ".join(first.fields[:12])[:300]})


def row_of(row: TableRow, header: TableHeader, options: ReadingOptions) -> Labelled | BadLine | SkippedLine:
    """Return what a row below the header says, or why nothing can be taken from it."""
    names = header.at.fields
    if any(row.fields[len(names) :]):
        # An unquoted separator in the text: every cell behind it is another column's.
        return BadLine(line=row.end, column=len(names) + 1, why=Flaw.SURPLUS)
    return _with_cell(labelled(row.end, _as_record(names, row.fields), options), header)


def _with_cell(record: Labelled | BadLine | SkippedLine, header: TableHeader) -> Labelled | BadLine | SkippedLine:
    """Return the record with the cell that people have to look at."""
    if isinstance(record, SkippedLine):
        return record
    name = (
        header.chosen.text[0] if isinstance(record, BadLine) and record.why is Flaw.NO_TEXT else header.chosen.category
    )
    return record.model_copy(update={"column": header.at.fields.index(name) + 1})


def _header(lines: Sequence[str], options: ReadingOptions) -> TableHeader | BadLine:
    """Return the first record that names a column for the question and one for the category."""
    named = lines[0].strip('\r\n"').casefold() if lines else ""
    separators = [named[4:]] if named.startswith("sep=") and len(named) == 5 else list(SEPARATORS)
    seen: list[TableRow] = []
    for separator in separators:
        top = [one for one in islice(_records(lines, separator), LINES_ABOVE + 1) if isinstance(one, TableRow)]
        if header := header_among(top, options):
            return header.model_copy(update={"separator": separator})
        seen += top[:1]
    return no_header(max(seen, key=lambda one: len(one.fields), default=TableRow(start=1, end=1, fields=[])))


def lost_above(header: TableHeader) -> Iterator[BadLine]:
    """Yield the lines above the header that are rows rather than a title: they fill as many columns."""
    width = len(list(filter(None, header.at.fields)))
    for record in header.above:
        if len(list(filter(None, record.fields))) >= width:
            yield BadLine(line=record.end, why=Flaw.ABOVE_HEADER)


def _records(lines: Sequence[str], separator: str) -> Iterator[TableRow | BadLine]:
    reader = csv.reader(iter(lines), delimiter=separator, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            end = reader.line_num
            yield _loosely(lines[start - 1], separator, start) if end == start else _open_quote(start, end)
        else:
            if any(fields):
                yield TableRow(start=start, end=reader.line_num, fields=fields)


def _below(header: TableHeader, lines: Sequence[str]) -> Iterator[TableRow | BadLine]:
    """Yield the records below the header, and all bad lines."""
    records = _records(lines, header.separator)
    return (each for each in records if isinstance(each, BadLine) or each.start > header.at.end)


def _loosely(line: str, separator: str, number: int) -> TableRow | BadLine:
    """Read a line with quotation marks in odd places. A mark that is not closed may not reach further."""
    try:
        fields = next(csv.reader([line], delimiter=separator))
    except (csv.Error, StopIteration) as error:
        return BadLine(line=number, why=Flaw.NOT_CSV, facts={"error": str(error)})
    return TableRow(start=number, end=number, fields=fields)


def _open_quote(start: int, end: int) -> BadLine:
    return BadLine(line=start, end=end, why=Flaw.OPEN_QUOTE, facts={"line": str(start)})


def _labels_of_lines(found: Iterable[TableRow | BadLine], names: Sequence[str], header: TableHeader) -> set[str]:
    """Return the labels of the records that stand on one line, where no quotation mark is open."""
    single = (each.fields for each in found if isinstance(each, TableRow) and each.start == each.end)
    return {str(_as_record(names, fields).get(header.chosen.category)).strip() for fields in single} - {"", "None"}


def _swallows(record: TableRow, lines: Sequence[str], known: set[str], header: TableHeader) -> bool:
    """Return whether a quoted field holds lines that are rows themselves: its mark was never meant to be open."""
    names = header.at.fields
    at = names.index(header.chosen.category)
    if at < len(record.fields) and "\n" in record.fields[at].strip():
        return True
    inside = lines[record.start - 1 : record.end - 1]
    alone = [_loosely(line.replace('"', ""), header.separator, record.start) for line in inside]
    rows = [row.fields for row in alone if isinstance(row, TableRow) and len(row.fields) >= len(names)]
    # Without its marks a field may be several, so the label is also looked for from the right.
    return any(fields[place].strip() in known for fields in rows for place in (at, at - len(names)))


def _as_record(names: Sequence[str], fields: Sequence[str]) -> dict[str, object]:
    """Return the fields by name. Several columns of one name are a list."""
    record: dict[str, object] = {}
    for name, field in zip(names, fields, strict=False):
        if not record.get(name):
            record[name] = field
        elif field and field != record[name]:
            earlier = record[name]
            record[name] = [*earlier, field] if isinstance(earlier, list) else [earlier, field]
    return record
