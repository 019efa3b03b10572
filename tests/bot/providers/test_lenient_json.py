"""JSON as models write it."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.providers.lenient_json import LenientValue, Members, NotJson, Word, parse_lenient


def plain(value: LenientValue) -> Any:
    if isinstance(value, Word):
        return value.text
    if isinstance(value, Members):
        return {key: plain(each) for key, each in value.pairs}
    return [plain(each) for each in value]


def read(text: str) -> Any:
    value, end = parse_lenient(text)
    assert end == len(text)
    return plain(value)


ANSWER = {"reason": "a", "category": "HR"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"reason": "a", "category": "HR"}', ANSWER),
        ('{"reason": "a", "category": "HR",}', ANSWER),
        ("{'reason': 'a', 'category': 'HR'}", ANSWER),
        ("{“reason”: “a”, “category”: “HR”}", ANSWER),
        ("{”reason”: ”a”, ”category”: ”HR”}", ANSWER),
        ("{‘reason’: ‘a’, ‘category’: ‘HR’}", ANSWER),
        ('{"reason"： "a"， "category"： "HR"}', ANSWER),
        ('{reason: "a", category: "HR"}', ANSWER),
        ("{reason: a, category: HR}", ANSWER),
        ('{"reason": "a"\n "category": "HR"}', ANSWER),
        ('{\n  // why\n  "reason": "a", /* which */ "category": "HR"\n}', ANSWER),
        ('{"reason": "a\nb", "category": "HR"}', {"reason": "a\nb", "category": "HR"}),
        ('{"reason": "say "yes", ok", "category": "HR"}', {"reason": 'say "yes", ok', "category": "HR"}),
        ("{'reason': 'it's a', 'category': 'HR'}", {"reason": "it's a", "category": "HR"}),
        ('{"reason": "the "category": x", "category": "HR"}', {"reason": 'the "category": x', "category": "HR"}),
        ('{"reason": null, "category": "HR"}', {"reason": "", "category": "HR"}),
        ('{"reason": None, "category": "HR"}', {"reason": "", "category": "HR"}),
        ('{"reason": "\\"\\u52b4\\n\\*", "category": "HR"}', {"reason": '"労\n*', "category": "HR"}),
        ('{"reason": "a", "category": ["HR"]}', {"reason": "a", "category": ["HR"]}),
        ('[{"category": "HR"}, {"category": 1.5}]', [{"category": "HR"}, {"category": "1.5"}]),
        ("{}", {}),
    ],
)
def test_json_of_models_is_read(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    "text", ["{thing}", "{HR", '{"a" "b"}', '{"a": }', '{"a": 1 "b": 2}', "{:}", "[{]", "{" * 9, '{"a": "b"; "c": "d"}']
)
def test_other_text_is_not_json(text: str) -> None:
    try:
        value, _ = parse_lenient(text)
    except (NotJson, EOFError):
        return
    assert isinstance(value, Members)
    assert len(value.pairs) < 2


def test_object_that_ends_with_the_text_is_open() -> None:
    value, end = parse_lenient(text := '{"category": "HR", "reason": "because')
    assert value == Members((("category", Word("HR", 14, 16, quoted=True)), ("reason", ())), closed=False)
    assert end == len(text)


def test_name_that_stands_twice_stays_twice() -> None:
    value, _ = parse_lenient('{"category": "HR", "category": "IT"}')
    assert isinstance(value, Members)
    assert [key for key, _ in value.pairs] == ["category", "category"]


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
JSON = st.recursive(
    NAMES | st.text("\",:{}[]\\'/\n“”ab ", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text('":\\, a'), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, JSON, max_size=3), st.booleans(), st.sampled_from([None, 1]))
def test_valid_json_is_read_as_json(value: dict[str, Any], escaped: bool, indent: int | None) -> None:  # noqa: FBT001 - given
    assert read(json.dumps(value, ensure_ascii=escaped, indent=indent)) == value


NOISE = st.lists(st.sampled_from([*list("{}[]\"'“”,:\\\n/* a"), '"category"', '"HR"', "//", "/*", "null"]), max_size=30)


@given(NOISE.map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    for at in range(len(text)):
        try:
            _, end = parse_lenient(text, at)
        except NotJson:
            continue
        assert at < end <= len(text)


@pytest.mark.parametrize("piece", ['{"a": "', '{"a": ["', '{"a": {"a": ', '"a", ', "/*", "{/*", "\\", '{"a": "b"\n'])
def test_long_text_is_read_in_time(piece: str) -> None:
    text = '{"reason": "' + piece * (20_000 // len(piece))
    started = time.perf_counter()
    with contextlib.suppress(NotJson):
        parse_lenient(text)
    assert time.perf_counter() - started < 1
