"""Decisions: typed questions answered with probabilities."""

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.decision import Decision

_CHOICES = [
    {"value": "labor", "description": "days off, overtime, 有給や残業"},
    {"value": "hr", "description": "interviews, reviews, 面接や評価"},
]


def _request(**more: Any) -> dict[str, Any]:
    question = {"type": "choice", "name": "category", "instructions": "Which desk?", "choices": _CHOICES, **more}
    return {"model": "base", "input": "有給の残りは？", "questions": [question]}


async def test_choice_has_probability_of_each_value(client: AsyncOpenAI) -> None:
    decision = await client.decisions.create(**_request())
    Decision.model_validate(json.loads(decision.to_json()), strict=True)
    answer: Any = decision.answers[0]
    assert (answer.name, answer.choice) == ("category", "labor")
    shares = {one.value: one.probability for one in answer.probabilities}
    assert list(shares) == ["labor", "hr"]
    assert sum(shares.values()) == pytest.approx(1)
    assert answer.confidence == max(shares.values())
    assert decision.usage.total_tokens == decision.usage.input_tokens + decision.usage.output_tokens


async def test_boolean_choice_stays_boolean_and_predicate_is_refused(client: AsyncOpenAI) -> None:
    choices = [{"value": True, "description": "about 有給"}, {"value": False, "description": "about lunch"}]
    request = _request(choices=choices)
    request["questions"] += [{"type": "predicate", "name": "p", "instructions": "It rains"}]
    decision = await client.decisions.create(**request)
    chosen, refused = decision.answers
    assert getattr(chosen, "choice", None) is True
    assert (refused.type, refused.name) == ("refusal", "p")


async def test_messages_are_read_as_prompt_and_question(client: AsyncOpenAI) -> None:
    request = _request(choices=[{"value": "labor"}, {"value": "hr"}])
    request["input"] = [
        {"type": "message", "role": "system", "content": "labor: 有給や残業\nhr: 面接や評価"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "面接の部屋"}]},
    ]
    answer: Any = (await client.decisions.create(**request)).answers[0]
    assert answer.choice == "hr"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"questions": []}, "questions"),
        ({"input": ""}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0]"),
        (_request(choices=_CHOICES[:1]), "questions[0].choices"),
        (_request(choices=[{"value": "a"}, {"value": "a"}]), "questions[0].choices"),
        (_request(choices=[{"value": "a"}, {"value": 5}]), "questions[0].choices"),
        (_request(type="essay"), "questions[0].type"),
        (_request(instructions=None), "questions[0].instructions"),
    ],
)
async def test_malformed_request_is_refused(client: AsyncOpenAI, change: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.decisions.create(**{**_request(), **change})
    assert refused.value.param == param
