"""Tables: headers of other programs, titles above them, and quotation marks that stay open."""

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.dataset.reading import read
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine


def rows(text: str, options: ReadingOptions | None = None) -> list[tuple[str, str]]:
    found = list(read(text.encode(), options))
    assert all(isinstance(one, Labelled) for one in found), found
    return [(one.text, one.category) for one in found if isinstance(one, Labelled)]


def test_open_quote_names_its_span() -> None:
    lines = ["質問,分類", *(f"質問{n}です,労務" for n in range(2, 42)), "最後です,人事"]
    lines[11] = '"' + lines[11]
    lines[39] = '"読点,のある質問",人事'
    found = list(read("\n".join(lines).encode()))
    (bad,) = [one for one in found if isinstance(one, BadLine)]
    assert (bad.line, bad.end, bad.lines, bad.why) == (12, 40, 29, Flaw.OPEN_QUOTE)
    assert [one.line for one in found if isinstance(one, Labelled)] == [*range(2, 12), 41, 42]


def test_quote_open_to_the_end_names_its_span() -> None:
    lines = ["質問,分類", *(f"質問{n}です,労務" for n in range(2, 41))]
    lines[11] = '"' + lines[11]
    found = list(read("\n".join(lines).encode()))
    assert [(one.line, one.end) for one in found if isinstance(one, BadLine)] == [(12, 40)]
    assert [one.line for one in found if isinstance(one, Labelled)] == [*range(2, 12)]


def test_quote_closed_by_another_slip_swallows_nothing() -> None:
    text = 'text,category\na,IT\n"b,IT\nc,HR\nd,HR\ne",HR\nf,HR\n'
    found = list(read(text.encode()))
    assert [(one.line, one.end) for one in found if isinstance(one, BadLine)] == [(3, 6)]
    assert [one.text for one in found if isinstance(one, Labelled)] == ["a", "f"]


def test_text_over_several_lines_is_kept() -> None:
    assert rows('text,category\n"one, two\n\nthree",IT\nb,IT\n') == [("one, two\n\nthree", "IT"), ("b", "IT")]


LABELS = ["IT", "HR", "LA"]
QUESTIONS = [f"q{n}, with a comma" if n % 4 == 0 else f"q{n}" for n in range(12)]
QUESTIONS[5] = "q5 first\nq5 second"


@given(st.lists(st.integers(len("text,category\n"), 180), min_size=1, max_size=2))
@example([18, 100])
def test_stray_quotes_never_move_a_label(places: list[int]) -> None:
    """Wherever quotation marks are added, each row that is read was written so, and what is lost is told."""
    out = io.StringIO(newline="")
    labels = {f"q{n}": LABELS[n % 3] for n in range(12)}
    csv.writer(out, lineterminator="\n").writerows(
        [("text", "category"), *zip(QUESTIONS, labels.values(), strict=True)]
    )
    text = out.getvalue()
    for place in sorted(places, reverse=True):
        text = text[:place] + '"' + text[place:]
    found = list(read(text.encode()))
    seen = set()
    for one in found:
        if isinstance(one, Labelled):
            (question,) = set(re.findall(r"q\d+", one.text.replace('"', "")))
            seen.add(question)
            assert one.category == labels[question] or '"' in one.category
    assert seen == labels.keys() or any(isinstance(one, BadLine) for one in found)


def test_rows_above_a_header_are_told() -> None:
    found = list(read(b"a question,IT\nb,IT\ntext,category\nc,HR\n"))
    assert [one.line for one in found] == [1, 2, 4]
    assert [one.why for one in found if isinstance(one, BadLine)] == [Flaw.ABOVE_HEADER] * 2


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\ntext;category\na, b;IT\n",
        'Export of the help desk,\n\nquestion,label\n"a, b",IT\n',
        "社内問い合わせ一覧\n2026年度\n質問\t分類\na, b\tIT\n",
        "text|category\na, b|IT\n",
        'Text (required),  CATEGORY *\n"a, b",IT\n',
        '質問（必須）,カテゴリー（必須）\n"a, b",IT\n',
    ],
)
def test_lines_above_and_separators_are_found(text: str) -> None:
    assert rows(text) == [("a, b", "IT")]


@pytest.mark.parametrize(
    ("header", "cells", "text"),
    [
        ("Id,Subject,Description,Group", "1,VPN,It fails,IT", "VPN\nIt fails"),
        ("ID,件名,説明,グループ", "1,VPN,つながらない,IT", "VPN\nつながらない"),
        ("Issue key,Summary,Labels,Component/s,Description", "A-1,VPN,,IT,It fails", "VPN\nIt fails"),
        ("課題キー,要約,コンポーネント,説明", "A-1,VPN,IT,つながらない", "VPN\nつながらない"),
        ("Number,Short description,Assignment group", "INC1,VPN fails,IT", "VPN fails"),
        ("番号,簡単な説明,アサイン先グループ", "INC1,VPN が切れる,IT", "VPN が切れる"),
        ("Timestamp,What is your question?,Department", "2026/1/1,VPN fails,IT", "VPN fails"),
        ("タイムスタンプ,お困りごとを教えてください,担当", "2026/1/1,VPN が切れる,IT", "VPN が切れる"),
        ("id,inputs,outputs", '1,"{""question"": ""VPN fails""}","{""category"": ""IT""}"', "VPN fails"),
        ("id,input_question,output_category", "1,VPN fails,IT", "VPN fails"),
        ("id,inputs.question,outputs.category", "1,VPN fails,IT", "VPN fails"),
        ("id,data,label,Comments", "1,VPN fails,IT,", "VPN fails"),
        ("text,label.responses", "VPN fails,['IT']", "VPN fails"),
        ("text,id,sentiment,annotator", "VPN fails,1,IT,2", ""),
    ],
)
def test_headers_of_other_programs(header: str, cells: str, text: str) -> None:
    if text:
        assert rows(f"{header}\n{cells}\n") == [(text, "IT")]
    else:
        options = ReadingOptions(category="sentiment")
        assert rows(f"{header}\n{cells}\n", options) == [("VPN fails", "IT")]


def test_columns_can_be_named() -> None:
    text = "text,a,B,kind,category\nnot this,one,two,IT,HR\n"
    assert rows(text, ReadingOptions(text=("a", "b"), category="Kind")) == [("one\ntwo", "IT")]


def test_missing_column_is_told_with_those_found() -> None:
    for options in (ReadingOptions(), ReadingOptions(text=("nothing",), category="b")):
        (bad,) = read(b"a,b,c\n1,2,3\n", options)
        assert isinstance(bad, BadLine)
        assert (bad.why, bad.facts["columns"]) == (Flaw.NO_HEADER, "a, b, c")


def test_bad_cell_is_named_by_its_column() -> None:
    found = list(read(b"id,text,category\n1,,IT\n2,a,\n3,b,IT\n"))
    assert [getattr(one, "column", None) for one in found] == [2, 3, 3]


def test_several_columns_of_one_name_are_several_labels() -> None:
    found = list(read(b"summary,component/s,component/s\na,IT,\nb,IT,HR\nc,,HR\n"))
    assert [one.category for one in found if isinstance(one, Labelled)] == ["IT", "HR"]
    assert [one.why for one in found if isinstance(one, BadLine)] == [Flaw.SEVERAL_CATEGORIES]


def test_separator_in_an_unquoted_text_is_told() -> None:
    bad, good = read("質問,分類\nIT, HR の質問,労務\n次の質問,人事,\n".encode())
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.column, bad.why) == (2, 3, Flaw.SURPLUS)
    assert isinstance(good, Labelled)


def test_html_and_entities_become_text() -> None:
    text = (
        "text,category\n<p>R&amp;D の <b>PC</b></p><p>遅い&nbsp;です</p>,R&amp;D\nList<String> a < b,IT\n&lt;b&gt;,IT\n"
    )
    assert rows(text) == [("R&D の PC\n遅い です", "R&D"), ("List<String> a < b", "IT"), ("<b>", "IT")]


def test_rejected_rows_of_a_table_are_skipped() -> None:
    found = list(read(b"text,label,answer,weight\na,IT,accept,1\nb,IT,reject,1\nc,IT,accept,0\n"))
    assert [one.why for one in found if isinstance(one, SkippedLine)] == [Skip.REJECTED, Skip.WEIGHT_ZERO]


HEADERS = [
    ("Ticket ID,Ticket subject,Ticket group,Ticket created - Date", 1, 2),
    ("ステータス,ID,件名,リクエスタ,リクエスト日,タイプ,グループ,担当者", 2, 6),
    ("Summary,Issue key,Issue Type,Components,Labels,Custom field (Impact)", 0, 3),
    ("Summary,Issue key,Status,Custom field (Request Type)", 0, 3),
    ("要約,課題キー,カスタムフィールド (リクエストタイプ)", 0, 2),
    ("キー,要約,コンポーネント/s", 1, 2),
    ("Number,Opened,Short description,Caller,State,Assignment group,Assigned to", 2, 5),
    ("番号,オープン日時,簡単な説明,申請者,ステータス,アサイン先グループ,アサイン先", 2, 5),
    ("Timestamp,Email Address,What is your question?,Which department is this for?", 2, 3),
    ("Timestamp,Username,How can we help you?,Topic", 2, 3),
    ("Timestamp,What do you need help with?,Which team should handle this?", 1, 2),
    ("Timestamp,Your name,Your department,Your question,Category of question", 3, 4),
    ("ID,Start time,Completion time,Email,Name,Type of inquiry,Please describe your issue", 6, 5),
    ("タイムスタンプ,メールアドレス,ご質問の内容を入力してください,担当部署を選んでください", 2, 3),
    ("タイムスタンプ,お困りの内容をご記入ください。,お問い合わせの種類", 1, 2),
    ("タイムスタンプ,氏名,所属部署,質問内容,質問の種類", 3, 4),
    ("タイムスタンプ,質問をどうぞ（複数行可）,どの窓口への質問ですか？", 1, 2),
    ("タイムスタンプ,Q1. お問い合わせ内容,Q2. お問い合わせ区分（必須）", 1, 2),
    ("タイムスタンプ,聞きたいこと,担当（総務が記入）", 1, 2),
    ("No.,質問,回答,分類", 1, 3),
    ("#,プロジェクト,トラッカー,ステータス,題名,カテゴリ", 4, 5),
    ("キー,件名,カテゴリー名,種別", 1, 2),
    ("id,input_question,output_category", 1, 2),
    ("inputs.question,outputs.category,reference_outputs.category", 0, 2),
    ("input,expected_output", 0, 1),
]
"""Headers, each with the places of the question and of the category."""


@pytest.mark.parametrize(("header", "text", "category"), HEADERS)
def test_header_of_other_programs_is_read(header: str, text: int, category: int) -> None:
    cells = [f"cell {n}" for n in range(len(header.split(",")))]
    assert rows(f"{header}\n{','.join(cells)}\n") == [(f"cell {text}", f"cell {category}")]


def test_column_with_known_labels_is_chosen() -> None:
    text = "Number,Short description,Category,Assignment group\nI1,Leave days,Inquiry,Labor\nI2,My laptop,Other,IT\n"
    assert rows(text) == [("Leave days", "Inquiry"), ("My laptop", "Other")]
    known = ReadingOptions(is_label=lambda label: label in {"Labor", "IT"})
    assert rows(text, known) == [("Leave days", "Labor"), ("My laptop", "IT")]
    assert rows(text, known.model_copy(update={"category": "category"})) == [
        ("Leave days", "Inquiry"),
        ("My laptop", "Other"),
    ]
    known = ReadingOptions(is_label=lambda label: label in {"Inquiry", "Labor", "IT"})
    assert rows(text, known) == rows(text), "the first that holds any"


def test_askers_own_department_is_never_chosen() -> None:
    text = "タイムスタンプ,部署,質問内容,質問の種類\nt,人事,有給は？,休暇\n"
    assert rows(text, ReadingOptions(is_label=lambda label: label == "人事")) == [("有給は？", "休暇")]
