"""Exports of other programs, one record each: the label is what people settled, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dataset.reading import read
from bot.domain.labelled import BadLine, Flaw, Labelled, ReadingOptions, Skip, SkippedLine

PAIRS = [("VPN fails", "IT"), ("Leave?", "HR")]
ASKED = [{"type": "text", "text": "VPN fails"}]
EXPORTS: list[dict[str, Any]] = [
    {"id": 1, "text": "VPN fails", "label": ["IT"], "Comments": []},
    {"id": 1, "data": "VPN fails", "label": ["IT"]},
    {"text": "VPN fails", "label": "IT", "answer": "accept", "_input_hash": -1},
    {
        "text": "VPN fails",
        "options": [{"id": "IT", "text": "Information"}, {"id": "HR", "text": "People"}],
        "accept": ["IT"],
        "answer": "accept",
    },
    {"text": "VPN fails", "options": [{"id": 1, "text": "IT"}], "accept": [1], "answer": "accept"},
    {
        "id": 1,
        "data": {"text": "VPN fails"},
        "annotations": [
            {"was_cancelled": True, "result": [{"type": "choices", "value": {"choices": ["HR"]}}]},
            {"was_cancelled": False, "result": [{"type": "choices", "value": {"choices": ["IT"]}}]},
        ],
        "predictions": [{"result": [{"value": {"choices": ["HR"]}}]}],
    },
    {"text": "VPN fails", "category": {"choices": ["IT"]}},
    {"text": "VPN fails", "annotation": "IT", "prediction": [{"label": "HR", "score": 1}], "status": "Validated"},
    {"inputs": {"text": "VPN fails"}, "annotation": "IT", "status": "Validated"},
    {
        "fields": {"text": "VPN fails"},
        "responses": {"label": [{"value": "IT", "status": "submitted"}, {"value": "HR", "status": "draft"}]},
        "suggestions": {"label": {"value": "HR"}},
    },
    {"text": "VPN fails", "label.responses": ["IT"], "label.responses.status": ["submitted"], "label.suggestion": "HR"},
    {"inputs": {"question": "VPN fails"}, "outputs": {"category": "IT", "reason": "a network"}},
    {"inputs": {"question": "VPN fails"}, "outputs": {"answer": "IT"}},
    {"inputs": {"question": "VPN fails"}, "outputs": {"category": "HR"}, "reference_outputs": {"category": "IT"}},
    {"inputs": {"question": "VPN fails", "n": 3}, "outputs": {"message": {"role": "assistant", "content": "IT"}}},
    {
        "inputs": {"input": [{"type": "human", "data": {"content": "VPN fails"}}]},
        "outputs": {"output": {"type": "ai", "data": {"content": "IT"}}},
    },
    {
        "inputs": {"messages": [[{"lc": 1, "kwargs": {"content": "VPN fails", "type": "human"}}]]},
        "outputs": {"generations": [[{"text": "IT", "message": {"kwargs": {"content": "IT", "type": "ai"}}}]]},
    },
    {"text": "VPN fails", "cats": {"IT": 1.0, "HR": 0.0}},
    {"text": None, "inputs": {"text": "VPN fails"}, "annotation": "IT", "status": "Validated"},
    {
        "fields": {"text": "VPN fails"},
        "responses": [{"status": "submitted", "values": {"label": {"value": "IT"}}}],
        "suggestions": [{"value": "HR"}],
    },
    {
        "id": 1,
        "data": {"ticket": "VPN fails", "number": 7},
        "completions": [{"result": [{"value": {"choices": ["IT"]}}]}],
    },
    {
        "data": {"text": "VPN fails"},
        "annotations": [
            {"result": [{"value": {"choices": ["IT"]}}, {"type": "textarea", "value": {"text": ["a network"]}}]}
        ],
    },
    {"text": "VPN fails", "topic_of_it": "IT", "annotator": 1, "annotation_id": 3, "lead_time": 2.5},
    {"key": "A-1", "fields": {"summary": "VPN fails", "components": [{"name": "IT"}], "issuetype": {"name": "Bug"}}},
    {"short_description": "VPN fails", "assignment_group": {"display_value": "IT", "link": "https://x"}},
    {"title": "VPN fails", "labels": [{"name": "IT", "color": "f00"}]},
    {"row_idx": 0, "row": {"text": "VPN fails", "label": "IT"}, "truncated_cells": []},
    {"contents": [{"role": "user", "parts": [{"text": "VPN fails"}]}, {"role": "model", "parts": [{"text": "IT"}]}]},
    {"input": [{"role": "system", "content": "x"}, {"role": "user", "content": "VPN fails"}], "ideal": "IT"},
    {
        "messages": [
            {"role": "user", "content": "VPN fails"},
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "{}"}}]},
            {"role": "tool", "content": "found"},
            {"role": "assistant", "content": '<think>HR?</think>```json\n{"reason": "r", "category": "IT"}\n```'},
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "VPN fails"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": '{"category": "IT"}'}}]},
        ]
    },
    {
        "inputs": {"messages": [{"type": "system", "content": "x"}, {"type": "human", "content": "VPN fails"}]},
        "outputs": {"messages": [{"type": "ai", "content": '{"category": "IT"}'}]},
    },
    {"instruction": "Choose.", "input": "VPN fails", "output": "IT"},
    {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "IT"}]},
    {"conversations": [{"from": "human", "value": "VPN fails"}, {"from": "gpt", "value": '{"category": "IT"}'}]},
    {
        "messages": [
            {"role": "user", "content": "Leave?"},
            {"role": "assistant", "content": '{"category": "HR"}', "weight": 0},
            {"role": "user", "content": "VPN fails"},
            {"role": "assistant", "content": '{"category": "IT"}', "weight": 1},
        ]
    },
]


@pytest.mark.parametrize("record", EXPORTS)
@pytest.mark.parametrize("form", ["line", "array", "pretty", "pretty array", "object"])
def test_export_is_read_in_each_form(record: dict[str, Any], form: str) -> None:
    two = [record, {"text": "Leave?", "category": "HR"}]
    written = {
        "line": "\n".join(map(json.dumps, two)),
        "array": json.dumps(two),
        "pretty": "\n".join(json.dumps(one, indent=2) for one in two),
        "pretty array": json.dumps(two, indent=4),
        "object": json.dumps({"examples": two}),
    }[form]
    found = list(read(written.encode()))
    expected = [("VPN fails", "IT"), ("Leave?", "HR")]
    assert [(one.text, one.category) for one in found if isinstance(one, Labelled)] == expected, found
    assert len(found) == 2


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"text": "a", "label": "IT", "answer": "reject"}, Skip.REJECTED),
        ({"text": "a", "label": "IT", "answer": "ignore"}, Skip.IGNORED),
        ({"text": "a", "annotation": "IT", "status": "Discarded"}, Skip.REJECTED),
        ({"data": {"text": "a"}, "annotations": [{"was_cancelled": True, "result": []}]}, Skip.REJECTED),
        ({"text": "a", "label": "IT", "weight": 0}, Skip.WEIGHT_ZERO),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "IT", "weight": 0}]},
            Skip.WEIGHT_ZERO,
        ),
    ],
)
def test_rejected_annotation_is_skipped(record: dict[str, Any], why: Skip) -> None:
    (skipped,) = read(json.dumps(record).encode())
    assert skipped == SkippedLine(line=1, why=why)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"text": "a", "label": ["IT", "HR"]}, Flaw.SEVERAL_CATEGORIES),
        ({"text": "a", "label": []}, Flaw.NO_CATEGORY),
        ({"text": "a", "label": [[0, 1, "IT"]]}, Flaw.NO_CATEGORY),
        ({"text": "a", "label": [{"start": 0, "end": 1, "labels": ["IT"]}]}, Flaw.NO_CATEGORY),
        ({"text": "a", "annotations": [{"label": 2, "user": 1}]}, Flaw.NO_CATEGORY),
        ({"data": {"text": "a"}, "predictions": [{"result": [{"value": {"choices": ["IT"]}}]}]}, Flaw.NO_CATEGORY),
        ({"text": "a", "suggestions": {"label": {"value": "IT"}}}, Flaw.NO_CATEGORY),
        ({"inputs": {"category": "IT"}, "outputs": {}}, Flaw.NO_TEXT),
    ],
)
def test_unsettled_label_is_no_category(record: dict[str, Any], why: Flaw) -> None:
    (bad,) = read(json.dumps(record).encode())
    assert isinstance(bad, BadLine)
    assert bad.why is why


@pytest.mark.parametrize(
    "file",
    [
        {"text": ["VPN fails", "Leave?"], "label": ["IT", "HR"]},
        {"text": {"0": "VPN fails", "1": "Leave?"}, "label": {"0": "IT", "1": "HR"}},
        {"columns": ["text", "label"], "index": [0, 1], "data": [["VPN fails", "IT"], ["Leave?", "HR"]]},
        {"data": {"items": [{"text": "VPN fails", "label": "IT"}, {"text": "Leave?", "label": "HR"}]}},
        {"issues": [{"fields": {"summary": text, "components": [{"name": label}]}} for text, label in PAIRS]},
        {"result": [{"short_description": text, "assignment_group": label} for text, label in PAIRS]},
    ],
)
def test_file_that_is_one_object_has_its_records(file: dict[str, Any]) -> None:
    found = list(read(json.dumps(file, indent=1).encode()))
    assert [(one.text, one.category) for one in found if isinstance(one, Labelled)] == PAIRS
    assert len(found) == len(PAIRS)


def test_cells_written_by_python_are_read() -> None:
    data = "inputs,outputs\n\"{'question': 'VPN fails'}\",\"{'category': 'IT', 'reason': None}\"\n"
    (row,) = read(data.encode())
    assert isinstance(row, Labelled)
    assert (row.text, row.category) == ("VPN fails", "IT")


def test_broken_object_names_line_column_and_span() -> None:
    text = '[\n  {\n    "text": "a"\n    "category": "IT"\n  },\n  {"text": "b", "category": "IT"},\n  {"text" "c"}\n]'
    broken, good, last = read(text.encode())
    assert isinstance(broken, BadLine)
    assert (broken.line, broken.end) == (2, 5)
    assert isinstance(good, Labelled)
    assert good.line == 6
    assert isinstance(last, BadLine)
    assert (last.line, last.end, last.column) == (7, None, 11)


def test_column_with_known_labels_is_chosen_in_json() -> None:
    groups = [("VPN fails", {"display_value": "IT"}), ("Leave?", {"display_value": "HR"})]
    records = [{"short_description": text, "category": "inquiry", "assignment_group": group} for text, group in groups]
    data = json.dumps({"result": records}).encode()
    assert [one.category for one in read(data) if isinstance(one, Labelled)] == ["inquiry", "inquiry"]
    known = ReadingOptions(is_label=lambda label: label in {"IT", "HR"})
    assert [(one.text, one.category) for one in read(data, known) if isinstance(one, Labelled)] == PAIRS


def test_named_columns_hold_for_json() -> None:
    (row,) = read(b'{"a": "x", "b": "y", "category": "HR", "kind": "IT"}', ReadingOptions(text=("a",), category="kind"))
    assert isinstance(row, Labelled)
    assert (row.text, row.category) == ("x", "IT")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["IT", "a", "", "reject", "{", "[1"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            *("text", "label", "category", "answer", "data", "inputs", "outputs", "messages", "role", "content"),
            *("annotations", "result", "value", "choices", "accept", "options", "status", "weight", "fields", "id"),
            *("cats", "row", "columns", "parts", "contents", "kwargs", "type", "reference_outputs", "tool_calls"),
        ]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(json_values.filter(lambda value: isinstance(value, dict)), min_size=1, max_size=4))
def test_no_record_is_lost_or_raises(records: list[dict[str, Any]]) -> None:
    marked = [{"text": "first", "category": "IT"}, *records]
    found = list(read("\n".join(map(json.dumps, marked)).encode()))
    assert {one.line for one in found} == set(range(1, len(marked) + 1))
    for one in found:
        written = json.dumps(marked[one.line - 1])
        assert not isinstance(one, Labelled) or f'"{one.category}"' in written or f": {one.category}" in written
