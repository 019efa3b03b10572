"""Workbooks of Excel (.xlsx): each visible sheet with a header is a table."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, time
from itertools import islice
from typing import Any

from bot.dataset.reading.columns import select
from bot.dataset.reading.tables import (
    LINES_ABOVE,
    TableRow,
    header_among,
    lost_above,
    no_header,
    row_of,
    with_known_labels,
)
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine

WORKBOOK = "xl/workbook.xml"
"""The part of a zip archive that makes it a workbook."""
MOST_UNPACKED = 300_000_000
"""Most bytes of a workbook when unpacked. A hundred thousand questions have about 50 MB."""
ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""A character as Excel writes it where XML has none for it."""
MOST_COLUMNS = 500
"""Columns that are read of each row."""


def is_workbook(data: bytes) -> bool:
    """Return whether these bytes are a workbook of Excel."""
    if not data.startswith(b"PK"):
        return False
    try:
        return WORKBOOK in zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def read_workbook(data: bytes, options: ReadingOptions) -> Iterator[Labelled | BadLine | SkippedLine]:
    """Yield each record of each sheet that has a header; a sheet without one is skipped if another has it."""
    sheets = _sheets_of(data)
    if isinstance(sheets, Flaw):
        yield BadLine(line=1, why=sheets, facts={"mb": str(MOST_UNPACKED // 1_000_000)})
        return
    headless, read = [], 0
    for sheet in sheets:
        rows = _rows(sheet)
        top = list(islice(rows, LINES_ABOVE + 1))
        found = header_among([row for row in top if isinstance(row, TableRow)], options)
        if found is None:
            headless += [top] if top else []
            continue
        read += 1
        below = [row for row in (*top, *rows) if isinstance(row, BadLine) or row.end > found.at.end]
        known = with_known_labels(found, [row for row in below if isinstance(row, TableRow)], options)
        chosen = select(tuple(found.at.fields), known.text, known.category)
        header = found.model_copy(update={"chosen": chosen})
        for row in (*lost_above(header), *below):
            record = row_of(row, header, known) if isinstance(row, TableRow) else row
            named = {} if isinstance(record, SkippedLine) or len(sheets) == 1 else {"sheet": str(sheet.title)}
            yield record.model_copy(update=named)
    for top in headless:
        yield SkippedLine(line=1, why=Skip.SHEET) if read else _without_header(top)


def _sheets_of(data: bytes) -> list[Any] | Flaw:
    """Return the visible sheets of a workbook, or why they cannot be read."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        return Flaw.BINARY
    try:
        if sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist()) > MOST_UNPACKED:
            return Flaw.TOO_LARGE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of colours and rules that it does not know
            sheets = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False).worksheets
    except Exception:  # noqa: BLE001 - a damaged file raises errors of every kind
        return Flaw.BROKEN_WORKBOOK
    return [sheet for sheet in sheets if sheet.sheet_state == "visible"] or list(sheets) or Flaw.BROKEN_WORKBOOK


def _rows(sheet: Any) -> Iterator[TableRow | BadLine]:
    """Yield each row that is not empty; where the sheet is damaged, its flaw comes last."""
    number = 0
    try:
        sheet.reset_dimensions()  # some programs write a wrong size, which would end the sheet early
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                fields = [_text(cell) for cell in cells[:MOST_COLUMNS]]
                if any(fields):
                    yield TableRow(start=number, end=number, fields=fields)
    except Exception:  # noqa: BLE001 - as above
        yield BadLine(line=number + 1, why=Flaw.BROKEN_WORKBOOK)


def _text(cell: object) -> str:
    """Return what a cell shows, apart from its number format."""
    if isinstance(cell, str):
        return ESCAPED.sub(lambda found: chr(int(found[1], 16)), cell).replace("\r\n", "\n")
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date | time):
        return cell.isoformat().removesuffix("T00:00:00")
    return "" if cell is None else str(cell)


def _without_header(top: list[TableRow | BadLine]) -> BadLine:
    first = top[0]
    return no_header(first) if isinstance(first, TableRow) else first
