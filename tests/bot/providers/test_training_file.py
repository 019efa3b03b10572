"""Validation of training files."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.dataset import SPECIAL_TOKENS
from bot.domain.training_file import FileProblem
from bot.providers.training_file import check


def example(question: str = "有給は？", **answer: object) -> dict[str, object]:
    return {
        "messages": [
            {"role": "system", "content": "分類してください"},
            {"role": "user", "content": question},
            {"role": "assistant", "content": '{"reason": "r", "category": "労務"}', **answer},
        ]
    }


def file(*examples: object) -> bytes:
    """Return a valid file of ten examples, followed by these."""
    valid = [example(f"質問{n}") for n in range(10)]
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in (*valid, *examples)).encode()


def checked(data: bytes) -> list[FileProblem]:
    return check(io.BytesIO(data))


def codes(problems: list[FileProblem]) -> list[tuple[int, str]]:
    return [(problem.line, problem.code) for problem in problems]


def test_valid_file_has_no_problem() -> None:
    assert checked(file()) == []
    assert checked(file().removesuffix(b"\n")) == []


def test_too_few_examples_are_reported() -> None:
    assert codes(checked(b"")) == [(0, "too_few")]
    nine = b"".join(file().splitlines(keepends=True)[:9])
    assert codes(checked(nine)) == [(0, "too_few")]


def example_with(message: dict[str, object], at: int = 1) -> dict[str, object]:
    """Return an example with one message changed: 0 is the system's, 1 the user's, 2 the assistant's."""
    changed = example()
    messages = changed["messages"]
    assert isinstance(messages, list)
    messages[at] = {**messages[at], **message}
    return changed


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (["messages"], "not_an_example"),
        ({"prompt": "x", "completion": "y"}, "not_an_example"),
        ({**example(), "id": 1}, "not_an_example"),
        ({"messages": []}, "no_messages"),
        ({"messages": "x"}, "no_messages"),
        ({"messages": ["x"]}, "no_messages"),
        (example_with({"role": "tool"}), "role"),
        (example_with({"role": ["user"]}), "role"),
        (example_with({"timestamp": 1}), "unknown_key"),
        (example_with({"name": 7}), "name"),
        (example_with({"content": ""}), "content"),
        (example_with({"content": " \n"}), "content"),
        (example_with({"content": None}, 2), "content"),
        (example_with({"content": [{"type": "text", "text": "x"}]}), "content"),
        (example_with({"weight": 1}), "weight"),
        (example_with({"weight": 2}, 2), "weight"),
        (example_with({"weight": True}, 2), "weight"),
        (example_with({"weight": [1]}, 2), "weight"),
        (example_with({"weight": 0}, 2), "nothing_to_learn"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}, "last_message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no_question"),
        (example_with({"content": "話 " * 40_000}), "too_long"),
        *[(example_with({"content": f"a {token} b"}), "special_token") for token in SPECIAL_TOKENS],
    ],
)
def test_each_rule_reports_its_line(bad: object, code: str) -> None:
    assert (11, code) in codes(checked(file(bad)))
    assert not [problem for problem in checked(file(bad)) if problem.line != 11]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\xff{}", "encoding"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"", "not_json"),
        (b"{} {}", "not_json"),
        (b"[" * 100_000, "not_json"),
        (json.dumps(example_with({"content": "\ud83d"})).encode(), "encoding"),
    ],
)
def test_undecodable_line_is_reported(line: bytes, code: str) -> None:
    assert codes(checked(file() + line + b"\n")) == [(11, code)]


def test_duplicate_line_names_the_first() -> None:
    assert checked(file(example(), example("x"), example())) == [FileProblem(13, "duplicate", "the same as line 11")]


def test_too_large_file_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.providers.training_file.TRAINING_FILE_BYTES", 100)
    assert codes(checked(file())) == [(0, "too_large")]


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["messages", "role", "content", "weight", "x"]), inner)
        ),
    )
)
def test_arbitrary_json_is_reported_without_a_crash(value: object) -> None:
    assert checked(file({"messages": [value, value]}))
    assert checked(file(value))


def test_problems_do_not_quote_content() -> None:
    secret = "給与は三十万円"
    for bad in (
        example_with({"content": secret + SPECIAL_TOKENS[0]}),
        example_with({"role": secret}),
        {"messages": [secret]},
    ):
        assert secret not in str(checked(file(bad)))
