"""The answer in a model's text: never a draft, never a category that the text does not plainly mean."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.prompt import Category, Prompt
from bot.providers.reading import CompletionChoice, UnusableAnswer, category_and_answer
from bot.providers.written_answer import written_answer

PROMPT = Prompt(
    language="en",
    template="",
    categories=(
        Category(id="labor", name="Labor"),
        Category(id="hr", name="HR"),
        Category(id="hr_partner", name="HR partner"),
        Category(id="other", name="Other", other=True),
    ),
)
HR, LABOR = '{"reason": "draft", "category": "HR"}', '{"reason": "a", "category": "Labor"}'


def read(text: str) -> str | None:
    """Return the id of the category that is read, or None if the model is asked again."""
    choice = CompletionChoice.model_validate({"message": {"content": text}})
    try:
        return category_and_answer(choice, PROMPT)[0].id
    except UnusableAnswer:
        return None


@pytest.mark.parametrize(
    "text",
    [
        f"<think>maybe {HR} … no</think>{LABOR}",
        f"<thinking>{HR}</thinking>\n\n{LABOR}",
        f"maybe {HR}</think>{LABOR}",
        f"<think>the asker wrote </think> {HR} here</think>{LABOR}",
        f"<think>a <think>b {HR}</think>{LABOR}",
        f"◁think▷{HR}◁/think▷{LABOR}",
        f"[THINK]{HR}[/THINK]{LABOR}",
        f"<|begin_of_thought|>{HR}<|end_of_thought|>{LABOR}",
        f"<seed:think>{HR}</seed:think>{LABOR}",
        f"<|channel>thought\n{HR}<channel|>{LABOR}",
        f"<|channel|>analysis<|message|>{HR}<|end|><|start|>assistant<|channel|>final<|message|>{LABOR}",
        f"<|channel|>final<|message|>{LABOR}<|end|><|channel|>analysis<|message|>{HR}",
        f"analysisWe need {HR}. assistantfinal{LABOR}",
        f"{LABOR}<think>or {HR}?</think>",
        f"[<think>{HR}</think>{LABOR}",
        f"{LABOR}<think>or {HR}?",
        f"```thinking\n{HR}\n```\n```json\n{LABOR}\n```",
        f"Draft: {HR}\nFinal: {LABOR}",
        f"{HR}\n{LABOR}",
        f'Format: {{"reason": "…", "category": "HR"}}\n{LABOR}',
        f'{LABOR}\n(Format: {{"reason": "…", "category": "…"}})',
        f'Use {{"reason": "...", "category": "HR"}}.\n{LABOR}',
        '{"reason": "...", "category": "Labor"}',
        '```json\n{"reason": "the tag <think> is open", "category": "Labor"}\n```',
        f"[analysis] it is about leave.\n{LABOR}",
        "Labor<|im_end|>",
        "【分類】Labor\n【理由】休暇の話",
        "カテゴリー: Labor / 理由: 休暇",
        "Labor　理由：休暇だから",
        '{"category_name": "Labor", "reason": "a"}',
        "Labor です。",
        "<answer>Labor</answer>",
        "It is about leave.\n<answer> labor </answer>",
        "<category>Labor</category><reason>leave</reason>",
        "<think>maybe <answer>HR</answer></think><answer>Labor</answer>",
        "Write <answer>…</answer>. <answer>Labor</answer>",
        "So \\boxed{Labor}",
        "Labor (労務)",
        "Labor - because it is about leave",
        "Labor: the asker wants to take leave.",
        "**Labor**\nIt is about leave.",
        "Labor. 有給の質問だからです。",
        "Labor\n\nReason: it is about leave",
        f'{LABOR} {{"reason": "x", "category": "HR | Labor | Other"}}',
        f'{LABOR} {{"reason": "x", "category": "one of HR, Labor"}}',
        f"```json\n{LABOR}\n```\nBye {{x}}",
        '{"reason": "the tag <think> is open", "category": "Labor"}',
        '{"reason": "not \\"category\\": \\"HR\\"", "category": "Labor"}',
        '{"Reason": "a", "CATEGORY": "labor"}',
        '{"reason": null, "category": "Labor"}',
        '{"category": "**Labor**"}',
        '{"reason": "a", "category": ["Labor"]}',
        f"[{LABOR}]",
        f'{{"answer": {LABOR}}}',
        json.dumps(LABOR),
        json.dumps(json.dumps(LABOR)),
        '{"reason": "a", "category": "Labor"',
        "Labor",
        '"Labor"',
        "**Labor.**",
        "```\nLabor\n```",
        "<think>HR</think>\n\nLabor\n",
        "Category: Labor",
        "Reason: because\nCategory: Labor",
        "**Reason:** because\n**Category:** Labor",
        "カテゴリ：labor\n理由：休暇",
        '{"reason": "a" x "b",\n "category": "Labor"}',
    ],
)
def test_plain_answer_is_read(text: str) -> None:
    assert read(text) == "labor"


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{HR}</think>",
        f"<think>maybe {HR}",
        f"{HR}</think>",
        f"<|channel|>analysis<|message|>{HR}",
        f"```thinking\n{HR}",
        f'{HR} no: {{"reason": "b", "category": "La',
        f'{HR} no: {{"reason": "b',
        '{"reason": "a", "category": "HR',
        '{"reason": "a", "category": HR',
        f'{HR}\n{{"reason": "b", "category": "Law"}}',
        f'{HR}\n{{"reason": "b", "category": null}}',
        f'{LABOR}\n(Format: {{"reason": "<why>", "category": "HR"}})',
        'The form is {"reason": "…", "category": "HR"}.',
        f"[{HR}, {LABOR}]",
        f'{{"draft": {HR}, "final": {LABOR}}}',
        '{"category": "HR", "category": "Labor"}',
        '{"reason": "see "x", "category": "HR" etc", "category": "Labor"}',
        '{"reason": "a", "category": ["HR", "Labor"]}',
        '{"reason": "a", "category": "HR or Labor"}',
        '{"reason": "a", "category": {"id": "HR"}}',
        '{"reason": "HR"}',
        '["HR", "Labor"]',
        "It is HR, I think.",
        "<answer>HR</answer> or <answer>Labor</answer>",
        "<answer>HR or Labor</answer>",
        "<answer>HR",
        "HR - or Labor",
        "HR - because it is no Labor question",
        "HR (or Labor)",
        "HR or Labor",
        "Category: HR\nCategory: Labor",
        "not HR",
        "",
    ],
)
def test_unclear_answer_is_asked_again(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Labor - because it is about leave", "because it is about leave"),
        ("Labor\n\n**Reason:** leave", "leave"),
        ("Labor. Reason: leave", "leave"),
        ("Labor\nConfidence: 0.9\nIt is about leave.", "It is about leave."),
        ("Labor\nConfidence: 90%", ""),
        ("<answer>Labor</answer><reason>leave</reason>", "leave"),
    ],
)
def test_explanation_becomes_the_reason(text: str, reason: str) -> None:
    answer = written_answer(text, lambda label: PROMPT.meant(label) is not None, PROMPT.explained)
    assert answer
    assert (PROMPT.meant(answer.category or ""), answer.reason) == (PROMPT.category("labor"), reason)


def test_span_is_the_place_of_the_label() -> None:
    text = f"<think>{HR}</think>{LABOR}"
    answer = written_answer(text, lambda _: True)
    assert answer
    assert answer.span
    assert text[slice(*answer.span)] == 'Labor"'
    assert answer.reason == "a"


PIECES = st.sampled_from(
    [HR, LABOR, "<think>", "</think>", "{", "}", '"category": "', "HR", '"', " partner", "\n", "```", "Category: ", "|"]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join))
def test_category_that_is_read_stands_in_the_text(text: str) -> None:
    found = read(text)
    if found:
        assert {"labor": "labor", "hr": "hr", "hr_partner": "partner", "other": "other"}[found] in text.casefold()


@given(st.lists(PIECES | st.text(max_size=3), max_size=6).map("".join))
def test_last_closed_answer_outside_reasoning_wins(before: str) -> None:
    assert read(f"{before}</think>{LABOR}") == "labor"
    assert read(f"<|channel|>analysis<|message|>{before}<|channel|>final<|message|>{LABOR}") in {"labor", None}


@given(st.text(max_size=20), st.sampled_from(["Labor", "HR", "HR partner", "Other"]))
def test_strict_answer_is_read_whatever_its_reason(reason: str, name: str) -> None:
    for text in (json.dumps({"reason": reason, "category": name}), json.dumps({"category": name, "reason": reason})):
        assert read(text) == {"Labor": "labor", "HR": "hr", "HR partner": "hr_partner", "Other": "other"}[name]


FORMS = [
    '{"reason": "b", "category": "%s"}',
    "{'reason': 'b', 'category': '%s'}",
    "{“reason”: “b”, “category”: “%s”}",
    '```json\n{"reason": "b",\n"category": "%s"}\n```',
    'Reason: b\nCategory: "%s"',
    '"{\\"category\\": \\"%s\\"}"',
]


@given(st.sampled_from(FORMS), st.integers(0, 80))
def test_cut_answer_is_never_another_category(form: str, length: int) -> None:
    whole = form % "HR partner"
    assert read(whole) == "hr_partner"
    assert read(whole[:length]) in {None, "hr_partner"}


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", HR, "{", '{"a": "', "[{", "<|channel|>", "Category: ", "```thinking\n"]
)
def test_long_answer_is_read_in_time(piece: str) -> None:
    started = time.perf_counter()
    read(piece * (16_000 // len(piece)))
    assert time.perf_counter() - started < 2
