"""JSON: one object per line, an array, or objects over several lines."""

import json
import re
from collections.abc import Iterator, Sequence

from bot.dataset.reading.columns import select
from bot.dataset.reading.exports import known_column, labelled
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, SkippedLine

LISTS = (
    *("data", "examples", "rows", "records", "items", "results", "result", "issues", "tickets", "utterances"),
    *("tasks", "entries"),
)
"""Names under which a file that is one object keeps its records."""
ENVELOPES = ("data", "result", "response", "dataset")
"""Names under which a file keeps the object with the list."""
BETWEEN = re.compile(r"[\s,\[\]]*")
"""Matches the separators of objects in a file or in an array."""
CLOSED = re.compile(r"[ \t\r,\]]*(?:\n|\{|\Z)")
"""Matches the separators after an object, up to a line end, a `{` or the end."""
DEEPEST_INDENT = 1_000
SHORT_PART = 8_192
"""Number of characters in which most records end."""
DECODER = json.JSONDecoder()


def read_json(text: str, options: ReadingOptions) -> Iterator[Labelled | BadLine | SkippedLine]:
    """Yield each object of a file, and each line that is none. Only a line feed ends a line."""
    entries = list(_entries(text, options))
    options = known_column([record for _, record in entries if not isinstance(record, BadLine)], options)
    for line, record in entries:
        yield record if isinstance(record, BadLine) else labelled(line, record, options)


def _entries(text: str, options: ReadingOptions) -> Iterator[tuple[int, dict[str, object] | BadLine]]:
    """Yield each record with its line, and each broken part."""
    line, start = 1, 0
    while start < len(text):
        between = BETWEEN.match(text, start)
        begin = between.end() if between else start
        line += text.count("\n", start, begin)
        if begin < len(text):
            end, found = _object_at(text, begin)
            last = line + text.count("\n", begin, end)
            if isinstance(found, BadLine):
                yield line, found.model_copy(update={"line": line, "end": last if last > line else None})
            else:
                alone = line == 1 and BETWEEN.fullmatch(text, end) is not None
                yield from ((line, one) for one in _from_value(line, found, options, alone=alone))
            line, begin = last, end
        start = begin


def _object_at(text: str, begin: int) -> tuple[int, object]:
    """Return the end and the value of the JSON that begins here, or of a broken part and its flaw."""
    try:
        value, end = _decoded(text, begin)
    except (ValueError, RecursionError) as error:
        at = begin + (error.pos if isinstance(error, json.JSONDecodeError) else 0)
        column = None if "\n" in text[begin:at] else at - text.rfind("\n", 0, begin)
        return _end_of_broken(text, begin), BadLine(line=1, column=column, why=Flaw.NOT_JSON)
    if CLOSED.match(text, end):
        return end, value
    return _end_of_line(text, end), BadLine(line=1, column=end - text.rfind("\n", 0, end), why=Flaw.NOT_JSON)


def _decoded(text: str, begin: int) -> tuple[object, int]:
    """Decode the JSON that begins here. An error's position is counted from there.

    An error costs time in proportion to the text before it, so a short part is tried first. No JSON string goes on in
    the next line: an error above the part's last line is not one of the cut.
    """
    part = text[begin : begin + SHORT_PART]
    try:
        value, end = DECODER.raw_decode(part)
    except json.JSONDecodeError as error:
        if len(part) < SHORT_PART or error.pos < part.rfind("\n"):
            raise
        value, end = DECODER.raw_decode(text[begin:])
    return value, begin + end


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _end_of_broken(text: str, begin: int) -> int:
    """Return the end of a broken part: its line, and the lines below that are indented further or only close it."""
    indent = begin - text.rfind("\n", 0, begin) - 1
    inside = re.compile(rf"\n(?:[ \t]{{{min(indent, DEEPEST_INDENT) + 1},}}\S|[ \t]*\}})[^\n]*")
    end = _end_of_line(text, begin)
    while more := inside.match(text, end):
        end = more.end()
    return end


def _from_value(
    line: int, value: object, options: ReadingOptions, *, alone: bool
) -> Sequence[dict[str, object] | BadLine]:
    """Return the records in a value; `alone`: whether it is the whole file."""
    if not isinstance(value, dict):
        return [BadLine(line=line, why=Flaw.NOT_AN_OBJECT)]
    return _records_in(value) or (_by_columns(value, options) if alone else []) or [value]


def _records_in(value: dict[str, object]) -> list[dict[str, object]]:
    """Return the records of a file that is one object; none if the object is a record itself."""
    for holder in (value, *(value.get(name) for name in ENVELOPES)):
        if not isinstance(holder, dict) or select(tuple(holder)).text:
            continue
        for name in LISTS:
            listed = holder.get(name)
            records = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
            if records and isinstance(listed, list) and len(records) == len(listed):
                return records
    return []


def _by_columns(value: dict[str, object], options: ReadingOptions) -> list[dict[str, object]]:
    """Return the rows of a table that pandas wrote column by column, as lists or as objects of numbered cells."""
    names, cells = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(cells, list):
        return [dict(zip(map(str, names), row, strict=False)) for row in cells if isinstance(row, list)]
    chosen = select(tuple(value), options.text, options.category)
    wanted = [*chosen.text, chosen.category, *filter(None, [chosen.reason])]
    listed = [_listed(value[name]) for name in wanted] if chosen.text and chosen.category else []
    whole = listed and all(listed) and len({len(each) for each in listed}) == 1
    return [dict(zip(wanted, row, strict=True)) for row in zip(*listed, strict=True)] if whole else []


def _listed(column: object) -> list[object]:
    if isinstance(column, dict) and all(str(key).isdecimal() for key in column):
        column = list(column.values())
    return column if isinstance(column, list) and all(isinstance(one, str | int | None) for one in column) else []
