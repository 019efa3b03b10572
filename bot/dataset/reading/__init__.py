"""Reading files with a company's labelled questions: tables and JSON, as people and other programs save them."""

import re
from collections.abc import Iterator

from bot.dataset.reading.encodings import ENCODINGS, decode
from bot.dataset.reading.records import read_json
from bot.dataset.reading.tables import read_table
from bot.dataset.reading.workbooks import is_workbook, read_workbook
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, SkippedLine

JSON = re.compile(r"\s*(?:\{|\[\s*(?:\{|\]|\Z))")
"""The beginning of JSON. A title in square brackets is none."""


def read(data: bytes, options: ReadingOptions | None = None) -> Iterator[Labelled | BadLine | SkippedLine]:
    """Yield each non-empty record of a file, good or bad, in order. Never raises.

    docs/import.md says which encodings, separators, columns and exports are read.
    """
    options = options or ReadingOptions()
    if is_workbook(data):
        yield from read_workbook(data, options)
        return
    text = decode(data, options.encoding)
    if isinstance(text, Flaw):
        yield BadLine(line=1, why=text, facts={"encodings": ", ".join(ENCODINGS)})
    elif JSON.match(text):
        yield from read_json(text, options)
    else:
        yield from read_table(text, options)
