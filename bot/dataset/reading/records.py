"""JSON: one object per line, an array, or objects over several lines."""

import json
import re
from collections.abc import Iterator

from bot.dataset.reading.exports import labelled
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, SkippedLine

LISTS = ("data", "examples", "rows", "records", "items", "results")
"""Names under which a file that is one object keeps its records."""
BETWEEN = re.compile(r"[\s,\[\]]*")
"""What may stand between the objects of a file and of an array."""
CLOSED = re.compile(r"[ \t\r,\]]*(?:\n|\{|\Z)")
"""What may follow an object on its line."""
DEEPEST_INDENT = 1_000
SHORT_PART = 8_192
"""Number of characters in which most records end."""
DECODER = json.JSONDecoder()


def read_json(text: str, options: ReadingOptions) -> Iterator[Labelled | BadLine | SkippedLine]:
    """Yield each object of a file, and each line that is none. Only a line feed ends a line."""
    line, start = 1, 0
    while start < len(text):
        between = BETWEEN.match(text, start)
        begin = between.end() if between else start
        line += text.count("\n", start, begin)
        if begin < len(text):
            end, found = _object_at(text, begin)
            last = line + text.count("\n", begin, end)
            if isinstance(found, BadLine):
                yield found.model_copy(update={"line": line, "end": last if last > line else None})
            else:
                yield from _from_value(line, found, options)
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


def _from_value(line: int, value: object, options: ReadingOptions) -> Iterator[Labelled | BadLine | SkippedLine]:
    if not isinstance(value, dict):
        yield BadLine(line=line, why=Flaw.NOT_AN_OBJECT)
        return
    inner = next((value[name] for name in LISTS if isinstance(value.get(name), list)), None)
    if inner and all(isinstance(one, dict) for one in inner):
        for one in inner:
            yield labelled(line, one, options)
    else:
        yield labelled(line, value, options)
