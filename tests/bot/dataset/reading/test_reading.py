"""Reading labelled questions: nothing raises, and good lines survive bad ones."""

import csv
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.dataset.reading import read
from bot.domain.labelled import BadLine, Flaw, Labelled

Record = tuple[str, str]

words = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\ufffd"), min_size=1, max_size=12)
separators = st.sampled_from(["", ", ", "\t", '"', "、", "\n", "\r\n", "\u2028", "\u2029", "\x85"])
questions = st.tuples(words, separators, words).map("".join)
records = st.lists(st.tuples(questions, words), min_size=1, max_size=8)
japanese = st.lists(
    st.tuples(
        st.text("有給休暇の申請は何日前ですか？ソ表能ｱｲｳ", min_size=2, max_size=20), st.sampled_from(["労務", "人事"])
    ),
    min_size=1,
    max_size=8,
)


def read_all_good(data: bytes) -> list[Record]:
    found = list(read(data))
    assert all(isinstance(record, Labelled) for record in found), found
    return [(record.text, record.category) for record in found if isinstance(record, Labelled)]


def as_csv(rows: list[Record], header: Record = ("text", "category"), delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue()


def as_jsonl(rows: list[Record]) -> str:
    return "".join(json.dumps({"text": t, "category": c}, ensure_ascii=False) + "\n" for t, c in rows)


@given(st.binary(max_size=400))
@example(b"")
@example(b'{"text": "\\ud83d", "category": "a"}')
@example(b'{"a":' * 100_000)
@example(b"{" + b"1" * 10_000)
@example(b"x" * 200_000)
@example(b'text,category\n"a\x00b,c')
def test_read_never_raises_on_random_bytes(data: bytes) -> None:
    for record in read(data):
        assert record.line >= 1
        assert record.model_dump_json()


@given(
    st.lists(
        st.sampled_from([b'{"text":', b'"category"', b'"', b"\n", b",", b"text,category\n", b"\xff", b"\xe3", b"}"])
    )
)
def test_read_never_raises_on_broken_syntax(pieces: list[bytes]) -> None:
    assert all(record.line >= 1 for record in read(b"".join(pieces)))


@given(records)
def test_json_lines_are_read_back(rows: list[Record]) -> None:
    assert read_all_good(as_jsonl(rows).encode()) == rows


@given(records, st.sampled_from([",", "\t", ";"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_csv_is_read_back(rows: list[Record], delimiter: str, encoding: str) -> None:
    assert read_all_good(as_csv(rows, delimiter=delimiter).encode(encoding)) == rows


@given(japanese)
def test_csv_of_japanese_excel_is_read(rows: list[Record]) -> None:
    assert read_all_good(as_csv(rows, ("質問", "カテゴリー")).encode("cp932")) == rows


@pytest.mark.parametrize("header", ["Text,Category", " question , LABEL ", "質問,分類", "本文,カテゴリ"])
def test_columns_have_several_names(header: str) -> None:
    assert read_all_good(f"{header}\n有給は？,労務\n".encode()) == [("有給は？", "労務")]


def test_reason_is_read_and_optional() -> None:
    first, second = read("text,category,理由\na,b, だから \nc,d,\n".encode())
    assert isinstance(first, Labelled)
    assert isinstance(second, Labelled)
    assert (first.reason, second.reason) == ("だから", None)


BAD_JSON = [
    "not json",
    "[1]",
    '{"text": "x"}',
    '{"text": " ", "category": "a"}',
    '{"text": 3, "category": "a"}',
    '{"a":' * 9000,
]


@given(records, st.lists(st.sampled_from(BAD_JSON), min_size=1, max_size=4))
def test_good_json_lines_survive_bad_ones(rows: list[Record], bad: list[str]) -> None:
    lines = [*as_jsonl(rows).split("\n")[:-1], *bad]
    order = sorted(range(1, len(lines)), key=lambda n: (n * 7919) % len(lines))
    mixed = [lines[0], *(lines[n] for n in order)]  # the first character determines the format
    found = list(read("\n\n".join(mixed).encode()))
    assert [record.line for record in found] == [1 + 2 * n for n in range(len(mixed))]
    assert [isinstance(record, BadLine) for record in found] == [line in bad for line in mixed]


def test_good_csv_lines_survive_bad_ones() -> None:
    data = 'text,category\na,x\n,x\nb\n\n"c\nd",x\n' + "e" * 200_000 + ",x\nf,x,,\n"
    found = list(read(data.encode()))
    assert [(record.line, isinstance(record, Labelled)) for record in found] == [
        (2, True),
        (3, False),
        (4, False),
        (7, True),
        (8, False),
        (9, True),
    ]
    assert [record.text for record in found if isinstance(record, Labelled)] == ["a", "c\nd", "f"]


def test_broken_byte_spoils_only_its_line() -> None:
    lines = ["text,category", "有給は何日前？,労務", "賞与は？\x00,人事", "経費の精算は？,経理"]
    found = list(read("\n".join(lines).encode().replace(b"\x00", b"\xe3\x81")))
    assert [isinstance(record, BadLine) for record in found] == [False, True, False]
    assert [record.text for record in found if isinstance(record, Labelled)] == ["有給は何日前？", "経費の精算は？"]


def test_lone_surrogate_is_a_bad_line() -> None:
    """JSON can contain a lone surrogate, but it can be neither hashed nor stored."""
    bad, fine = read(b'{"text": "\\ud83d leave?", "category": "a"}\n{"text": "b", "category": "a"}')
    assert isinstance(bad, BadLine)
    assert isinstance(fine, Labelled)


@pytest.mark.parametrize("header", ["text,kind", "a,b", "category", '"' + "x" * 200_000])
def test_missing_columns_are_one_bad_line(header: str) -> None:
    (bad,) = read(f"{header}\na,b\n".encode())
    assert isinstance(bad, BadLine)
    assert bad.line >= 1


def conversation(*turns: tuple[str, object]) -> bytes:
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]}).encode()


def test_training_example_is_read_back() -> None:
    answer = json.dumps({"reason": "有給は労務", "category": "労務"}, ensure_ascii=False)
    system, question = ("system", "Choose."), ("user", " 有給は何日前？ ")
    (row,) = read(conversation(system, question, ("assistant", answer)))
    assert row == Labelled(line=1, text="有給は何日前？", category="労務", reason="有給は労務")
    (row,) = read(conversation(question, ("assistant", '{"category": "labor", "text": "not this"}')))
    assert row == Labelled(line=1, text="有給は何日前？", category="labor")


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "a"), ("assistant", '["labor"]')],
        [("user", "a"), ("assistant", None)],
        [("user", "a"), ("assistant", "[" * 100_000)],
        [("assistant", "labor")],
        [("user", "a"), ("assistant", "Please ask the people of the second floor, who know how this is done.")],
        [("system", "a")],
    ],
)
def test_other_conversation_is_a_bad_line(turns: list[tuple[str, object]]) -> None:
    (bad,) = read(conversation(*turns))
    assert isinstance(bad, BadLine)
    assert bad.why is Flaw.TRAINING_EXAMPLE


@pytest.mark.parametrize("answer", ['{"reason": "b"}', '{"category": 3}'])
def test_training_example_without_category_is_a_bad_line(answer: str) -> None:
    (bad,) = read(conversation(("user", "a"), ("assistant", answer)))
    assert isinstance(bad, BadLine)
    assert bad.why is Flaw.NO_CATEGORY


def test_messages_take_precedence_over_columns() -> None:
    (bad,) = read(b'{"messages": [], "text": "a", "category": "b"}')
    assert isinstance(bad, BadLine)
    assert bad.why is Flaw.TRAINING_EXAMPLE
