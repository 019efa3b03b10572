import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.dataset import FORBIDDEN
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
    """A sound file of ten examples, with these at its end."""
    sound = [example(f"質問{n}") for n in range(10)]
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in (*sound, *examples)).encode()


def codes(problems: list[FileProblem]) -> list[tuple[int, str]]:
    return [(problem.line, problem.code) for problem in problems]


def test_a_sound_file_has_no_problem() -> None:
    assert check(file()) == []
    assert check(file().removesuffix(b"\n")) == []


def test_too_few_examples() -> None:
    assert codes(check(b"")) == [(0, "too_few")]
    nine = b"".join(file().splitlines(keepends=True)[:9])
    assert codes(check(nine)) == [(0, "too_few")]


def one(message: dict[str, object], at: int = 1) -> dict[str, object]:
    """An example with this message (0 system, 1 user, 2 assistant) changed."""
    sound = example()
    messages = sound["messages"]
    assert isinstance(messages, list)
    messages[at] = {**messages[at], **message}
    return sound


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (["messages"], "not_an_example"),
        ({"prompt": "x", "completion": "y"}, "not_an_example"),
        ({**example(), "id": 1}, "not_an_example"),
        ({"messages": []}, "no_messages"),
        ({"messages": "x"}, "no_messages"),
        ({"messages": ["x"]}, "no_messages"),
        (one({"role": "tool"}), "role"),
        (one({"role": ["user"]}), "role"),
        (one({"timestamp": 1}), "unknown_key"),
        (one({"name": 7}), "name"),
        (one({"content": ""}), "content"),
        (one({"content": " \n"}), "content"),
        (one({"content": None}, 2), "content"),
        (one({"content": [{"type": "text", "text": "x"}]}), "content"),
        (one({"weight": 1}), "weight"),
        (one({"weight": 2}, 2), "weight"),
        (one({"weight": True}, 2), "weight"),
        (one({"weight": [1]}, 2), "weight"),
        (one({"weight": 0}, 2), "nothing_to_learn"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}, "last_message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no_question"),
        (one({"content": "話 " * 40_000}), "too_long"),
        *[(one({"content": f"a {token} b"}), "special_token") for token in FORBIDDEN],
    ],
)
def test_each_rule_names_its_line(bad: object, code: str) -> None:
    assert (11, code) in codes(check(file(bad)))
    assert not [problem for problem in check(file(bad)) if problem.line != 11]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\xff{}", "encoding"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"", "not_json"),
        (b"{} {}", "not_json"),
        (b"[" * 100_000, "not_json"),
        (json.dumps(one({"content": "\ud83d"})).encode(), "encoding"),
    ],
)
def test_lines_that_are_no_text(line: bytes, code: str) -> None:
    assert codes(check(file() + line + b"\n")) == [(11, code)]


def test_a_line_that_stands_twice() -> None:
    assert check(file(example(), example("x"), example())) == [FileProblem(13, "duplicate", "the same as line 11")]


def test_a_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.providers.training_file.TRAINING_FILE_BYTES", 100)
    assert codes(check(file())) == [(0, "too_large")]


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["messages", "role", "content", "weight", "x"]), inner)
        ),
    )
)
def test_no_json_is_too_strange(value: object) -> None:
    assert check(file({"messages": [value, value]}))
    assert check(file(value))


def test_messages_hold_no_content() -> None:
    secret = "給与は三十万円"
    for bad in (one({"content": secret + FORBIDDEN[0]}), one({"role": secret}), {"messages": [secret]}):
        assert secret not in str(check(file(bad)))
