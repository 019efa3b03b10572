"""Chat completions: fields in the schema's order, log probabilities, and refusals in OpenAI's format."""

import json
import math
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from tests.bot.embedded.kit import LABELS, PROMPT, answer_format, ask


def parsed_answer(completion: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(completion.choices[0].message.content)
    return found


@pytest.mark.parametrize(
    ("question", "label"),
    [("有給の申請はいつまで？", "労務"), ("面接の日程を変えたい", "人事"), ("評価シートを出したい", "人事")],
)
async def test_base_model_answers_from_prompt(client: AsyncOpenAI, question: str, label: str) -> None:
    found = parsed_answer(await ask(client, question))
    assert list(found) == ["reason", "category"]
    assert found["category"] == label


async def test_answer_matches_sdk_types_strictly(client: AsyncOpenAI) -> None:
    completion = await ask(client, "有給の申請はいつまで？", logprobs=True, top_logprobs=2, seed=1)
    read = ChatCompletion.model_validate(json.loads(completion.to_json()), strict=True)
    assert read.usage is not None
    assert read.usage.total_tokens == read.usage.prompt_tokens + read.usage.completion_tokens
    assert read.choices[0].finish_reason == "stop"
    assert read.model == "base"


async def test_label_tokens_have_consistent_log_probabilities(client: AsyncOpenAI) -> None:
    labels = ["人事", "人事部の研修と異動", "人事部の採用", "労務"]
    completion = await ask(client, "採用の面接の日程", labels=labels, logprobs=True, top_logprobs=20)
    content = completion.choices[0].message.content
    tokens = completion.choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens) == content.encode()
    label = parsed_answer(completion)["category"]
    start = content.encode().rindex(label.encode())
    spot, total = 0, 0.0
    for token in tokens:
        inside = start <= spot < start + len(label.encode())
        total += token.logprob if inside else 0.0
        assert inside or token.logprob == 0.0
        assert sum(math.exp(other.logprob) for other in token.top_logprobs) == pytest.approx(1, abs=1e-6)
        spot += len(token.bytes)
    decision = await client.decisions.create(
        model="base",
        input=[{"role": "system", "content": PROMPT}, {"role": "user", "content": "採用の面接の日程"}],
        questions=[{"type": "choice", "instructions": " ", "choices": [{"value": one} for one in labels]}],
    )
    found: Any = decision.answers[0]
    assert found.choice == label
    assert 0 < math.exp(total) <= 1


async def test_pydantic_model_with_optional_reason_is_parsed(client: AsyncOpenAI) -> None:
    class Answer(BaseModel):
        reason: str | None
        category: str
        confidence: float

    messages: Any = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "有給の残り日数"}]
    completion = await client.chat.completions.parse(model="base", messages=messages, response_format=Answer)
    parsed = completion.choices[0].message.parsed
    assert parsed is not None
    assert parsed.category == "労務"
    assert 1 / 3 < parsed.confidence <= 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"stream": True}, "stream"),
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages[0].content",
        ),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "x"}]}, "messages"),
        ({"response_format": answer_format(inner={"type": "object"})}, "response_format"),
        ({"response_format": answer_format(level={"enum": [1, 2]})}, "response_format"),
        ({"response_format": answer_format(other={"$ref": "#/$defs/Gone"})}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
        ),
    ],
)
async def test_refusal_names_invalid_parameter(client: AsyncOpenAI, change: dict[str, Any], param: str) -> None:
    request: dict[str, Any] = {"model": "base", "messages": [{"role": "user", "content": "x"}], **change}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(**request)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize("gone", ["required", "additionalProperties"])
async def test_incomplete_strict_schema_is_refused(client: AsyncOpenAI, gone: str) -> None:
    wanted = answer_format()
    del wanted["json_schema"]["schema"][gone]
    with pytest.raises(openai.BadRequestError, match=gone):
        await ask(client, "x", response_format=wanted)


async def test_unknown_model_is_not_found(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await ask(client, "x", model="ft:base:x::12345678")
    assert refused.value.code == "model_not_found"


async def test_text_and_json_object_use_prompt_headings(client: AsyncOpenAI) -> None:
    plain = await ask(client, "有給の申請", response_format={"type": "text"})
    assert plain.choices[0].message.content == "労務"
    found = parsed_answer(await ask(client, "有給の申請", response_format={"type": "json_object"}))
    assert found["category"] == "労務"


async def test_answer_is_cut_at_token_limit(client: AsyncOpenAI) -> None:
    completion = await ask(client, "有給の申請", max_completion_tokens=2)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 2


async def test_content_parts_are_read_like_string(client: AsyncOpenAI) -> None:
    parts: Any = [
        {"role": "developer", "content": [{"type": "text", "text": PROMPT}]},
        {"role": "user", "content": [{"type": "text", "text": "有給の申請はいつまで？"}]},
    ]
    format_: Any = answer_format(LABELS)
    one = await client.chat.completions.create(model="base", messages=parts, response_format=format_)
    assert parsed_answer(one) == parsed_answer(await ask(client, "有給の申請はいつまで？"))


async def test_chat_example_decides_equal_question(client: AsyncOpenAI) -> None:
    question = "有給の申請はいつまで？"
    messages = [
        {"role": "system", "content": PROMPT},
        {"role": "user", "content": question},
        {"role": "assistant", "content": json.dumps({"reason": "決まり", "category": "人事"})},
        {"role": "user", "content": question},
    ]
    assert parsed_answer(await ask(client, question, messages=messages))["category"] == "人事"
