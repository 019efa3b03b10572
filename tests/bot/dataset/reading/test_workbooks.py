"""Workbooks of Excel: sheets, values that are no text, and files that are damaged or too large."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dataset.reading import read, workbooks
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine

Cells = Sequence[Sequence[object]]
ROWS: Cells = [("質問", "分類"), ("有給は何日前まで？", "労務"), ("PC が遅い", "IT")]
READ = [(2, "有給は何日前まで？", "労務"), (3, "PC が遅い", "IT")]


def book(sheets: Mapping[str, Cells], hidden: Sequence[str] = ()) -> bytes:
    """Return a workbook with these sheets."""
    from openpyxl import Workbook

    made = Workbook()
    made.remove(made.worksheets[0])
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def changed(data: bytes, part: str, old: str, new: str) -> bytes:
    """Return the workbook with other text in one of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as was, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as now:
        for name in was.namelist():
            text = was.read(name)
            now.writestr(name, re.sub(old.encode(), new.encode(), text, count=1) if name == part else text)
    return out.getvalue()


def kept(data: bytes, options: ReadingOptions | None = None) -> list[tuple[int, str, str]]:
    return [(one.line, one.text, one.category) for one in read(data, options) if isinstance(one, Labelled)]


def flaws(data: bytes) -> list[tuple[int, Flaw]]:
    return [(one.line, one.why) for one in read(data) if isinstance(one, BadLine)]


def test_rows_are_read_with_their_numbers() -> None:
    data = book({"Sheet1": [("2026年度 問い合わせ一覧",), (), *ROWS, ("", ""), ("席替えはいつ？", "総務", "memo")]})
    assert kept(data) == [(line + 2, text, category) for line, text, category in READ]
    assert flaws(data) == [(7, Flaw.SURPLUS)]


def test_values_become_text() -> None:
    rows = [
        ("question", "category"),
        (5, 1.0),
        (2.5, True),
        (date(2026, 1, 2), "HR"),
        ("a_x000D_\n", " HR "),
        (None, "HR"),
    ]
    assert kept(book({"s": rows})) == [
        (2, "5", "1"),
        (3, "2.5", "TRUE"),
        (4, "2026-01-02", "HR"),
        (5, "a", "HR"),
    ]
    assert flaws(book({"s": rows})) == [(6, Flaw.NO_TEXT)]


def test_every_sheet_with_a_header_is_read() -> None:
    data = book({"2025": ROWS, "説明": [("この表は…",)], "2026": [*ROWS, ("x", "")], "古い": ROWS}, hidden=["古い"])
    assert kept(data) == [*READ, *READ]
    found = list(read(data))
    assert [one.why for one in found if isinstance(one, SkippedLine)] == [Skip.SHEET]
    (bad,) = [one for one in found if isinstance(one, BadLine)]
    assert (bad.sheet, bad.line, bad.column, bad.why) == ("2026", 4, 2, Flaw.NO_CATEGORY)


def test_named_columns_are_read() -> None:
    data = book({"s": [("a", "b", "c"), ("1st", "2nd", "HR")]})
    assert flaws(data) == [(1, Flaw.NO_HEADER)]
    assert kept(data, ReadingOptions(text=("b", "a"), category="C")) == [(2, "2nd\n1st", "HR")]


def test_wrong_size_of_a_sheet_hides_no_row() -> None:
    data = changed(book({"s": ROWS}), "xl/worksheets/sheet1.xml", 'ref="A1:B3"', 'ref="A1:A1"')
    assert kept(data) == READ


TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PARTS = {
    "[Content_Types].xml": f"""<Types xmlns="{TYPES}">
        <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
        <Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>
        <Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KIND}.worksheet+xml"/>
        <Override PartName="/xl/sharedStrings.xml" ContentType="{KIND}.sharedStrings+xml"/></Types>""",
    "_rels/.rels": f"""<Relationships xmlns="{RELATIONS}">
        <Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
    "xl/workbook.xml": f"""<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}">
        <sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": f"""<Relationships xmlns="{RELATIONS}">
        <Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
        <Relationship Id="r2" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>""",
    "xl/worksheets/sheet1.xml": f"""<worksheet xmlns="{SHEET}"><sheetData>
        <row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
        <row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>3</v></c></row></sheetData></worksheet>""",
    "xl/sharedStrings.xml": f"""<sst xmlns="{SHEET}"><si><t>質問</t></si><si><t>分類</t></si>
        <si><r><t>有給は</t></r><r><rPr><b/></rPr><t>いつ？</t></r></si>
        <si><t>労務</t><rPh sb="0" eb="2"><t>ロウム</t></rPh></si></sst>""",
}
"""A workbook as Excel in Japan writes it: shared strings, with formatting and furigana."""


def zipped(parts: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_formatted_text_is_read_without_its_furigana() -> None:
    assert kept(zipped(PARTS)) == [(2, "有給はいつ？", "労務")]


def test_cell_far_to_the_right_is_no_burden() -> None:
    data = changed(
        book({"s": ROWS}), "xl/worksheets/sheet1.xml", '<c r="B3"', '<c r="XFD3" t="n"><v>1</v></c><c r="B3"'
    )
    assert (2, "有給は何日前まで？", "労務") in kept(data)


def test_damaged_workbook_keeps_what_was_read() -> None:
    data = changed(book({"s": ROWS}), "xl/worksheets/sheet1.xml", '<row r="3"', '<row r="3" <')
    assert kept(data) == READ[:1]
    assert flaws(data) == [(3, Flaw.BROKEN_WORKBOOK)]


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/sharedStrings.xml", "[Content_Types].xml"])
def test_damaged_workbook_part_is_reported(part: str) -> None:
    assert flaws(zipped({**PARTS, part: "<" + PARTS[part]})) == [(1, Flaw.BROKEN_WORKBOOK)]


def test_entities_that_grow_are_refused() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]>' + PARTS["xl/sharedStrings.xml"].replace("労務", "&e12;")
    assert flaws(zipped({**PARTS, "xl/sharedStrings.xml": bomb})) == [(1, Flaw.BROKEN_WORKBOOK)]


def test_too_large_workbook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 5_000)
    (bad,) = read(book({"s": [*ROWS, *[(f"q{n}", "IT") for n in range(500)]]}))
    assert isinstance(bad, BadLine)
    assert (bad.why, bad.facts["mb"]) == (Flaw.TOO_LARGE, "0")


def test_other_archives_are_no_workbooks() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert flaws(out.getvalue()) == [(1, Flaw.BINARY)]
    assert flaws(b"PK\x03\x04 broken") == [(1, Flaw.BINARY)]
    assert flaws(b"\xd0\xcf\x11\xe0 an old or encrypted workbook") == [(1, Flaw.BINARY)]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=6))
def test_no_row_is_lost_uncounted(rows: list[tuple[str, str]]) -> None:
    filled = [row for row in rows if any(row)]
    assert len(list(read(book({"s": [("text", "category"), *rows]})))) == len(filled)


@given(st.binary(max_size=400), st.integers(0, 3_000))
def test_damage_raises_nothing(noise: bytes, at: int) -> None:
    data = book({"s": ROWS})
    assert list(read(data[:at] + noise + data[at + len(noise) :]))
