"""Training files: refusals with the number of the line, and the rows of valid files."""

import json
from typing import Any

import pytest

from bot.embedded.rows import InvalidFileError, examples_of, label_of, labelled_rows, most_common_system, open_questions
from tests.bot.embedded.kit import PROMPT, ROWS, jsonl

_USER = {"role": "user", "content": "x"}
_FINE = {"role": "assistant", "content": "労務"}


def test_valid_file_gives_rows_and_prompt() -> None:
    examples = examples_of(b"\xef\xbb\xbf" + jsonl() + b"\n\n")
    assert labelled_rows(examples) == ROWS
    assert most_common_system(examples) == PROMPT


def test_lines_without_answer_are_open_questions() -> None:
    line = json.dumps({"messages": [_USER, {"role": "assistant", "content": "", "weight": 0}]}).encode()
    examples = examples_of(jsonl() + b"\n" + b"\n".join([line] * 2 * len(ROWS)))
    assert set(open_questions(examples)) == {"x"}
    assert labelled_rows(examples) == ROWS
    assert most_common_system(examples) == PROMPT


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 3: not valid JSON"),
        ("[]", "Line 3: .*list of messages"),
        (json.dumps({"messages": []}), "Line 3: .*list of messages"),
        (json.dumps({"messages": [_FINE]}), "Line 3: there must be a message from the user"),
        (json.dumps({"messages": [_USER]}), "Line 3: the last message must be from the assistant"),
        (json.dumps({"messages": [{"role": "boss", "content": "x"}, _USER, _FINE]}), "message 1 has an unknown role"),
        (json.dumps({"messages": ["x", _USER, _FINE]}), "message 1 is not an object"),
        (json.dumps({"messages": [{**_USER, "weight": 1}, _FINE]}), "message 1 has a weight"),
        (json.dumps({"messages": [_USER, {**_FINE, "weight": 0.5}]}), "message 2 has a weight"),
        (json.dumps({"messages": [{**_USER, "colour": 1}, _FINE]}), "message 1 has an unknown key: colour"),
        (json.dumps({"messages": [{"role": "user", "content": 5}, _FINE]}), "message 1: content must be"),
        (
            json.dumps({"messages": [{"role": "user", "content": "a <|endoftext|>"}, _FINE]}),
            "special token <.endoftext.>",
        ),
    ],
)
def test_bad_line_is_named(line: str, words: str) -> None:
    lines = jsonl().decode().split("\n")
    lines[2] = line
    with pytest.raises(InvalidFileError, match=words):
        examples_of("\n".join(lines).encode())


def test_only_first_bad_lines_are_shown() -> None:
    with pytest.raises(InvalidFileError, match=r"Line 5: .* \(15 more\)"):
        examples_of(b"\n".join([b"{"] * 20))


def test_non_utf8_bytes_are_refused_with_line() -> None:
    with pytest.raises(InvalidFileError, match="line 2"):
        examples_of(b"{}\n" + "有給".encode("shift_jis"))


def test_nine_examples_are_too_few() -> None:
    with pytest.raises(InvalidFileError, match=r"9 example.*at least 10"):
        examples_of(jsonl(ROWS[:9]))


def _examples(answers: list[str], **more: Any) -> bytes:
    lines = [{"messages": [_USER, {"role": "assistant", "content": answer, **more}]} for answer in answers]
    return "\n".join(json.dumps(line) for line in lines).encode()


@pytest.mark.parametrize("name", ["category", "desk"])
def test_category_field_is_found_by_name_or_length(name: str) -> None:
    answers = [json.dumps({"why": "always the same long reason", name: label}) for label in ["it", "pay"] * 5]
    assert [label for _, label in labelled_rows(examples_of(_examples(answers)))] == ["it", "pay"] * 5


def test_bare_label_is_read_as_answer() -> None:
    assert label_of(" labor ") == "labor"
    assert {label for _, label in labelled_rows(examples_of(_examples(["labor"] * 10)))} == {"labor"}


def test_answers_with_weight_zero_are_not_learned() -> None:
    with pytest.raises(InvalidFileError, match="to learn"):
        examples_of(_examples(["labor"] * 10, weight=0))
