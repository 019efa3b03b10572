"""Single classifications at a scripted provider: requests, answers, failures and confidence."""

import json
import time

import pytest
from pydantic import SecretStr

from bot.domain.errors import ModelDown, ModelError, ModelRefused, Trouble
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers
from tests.kits.openai_server import CHAT, DECISIONS, OpenAIServer, Reply, completion, refusal, said

QUESTION = "有給は何日前までに申請すればいいですか？"
RETRY_AT_ONCE = {"retry-after-ms": "1"}


@pytest.fixture
def serving(providers: Providers) -> OpenAIModel:
    return OpenAIModel(providers, timeout_s=5)


async def test_answer_is_read_from_a_strict_request(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, said("労務", "休暇の話です", p=0.75))
    # A model elsewhere writes its reason even if nobody reads it: the reason may change the category.
    answer = await serving.classify(model, prompt, QUESTION, explain=False)
    assert (answer.category, answer.reason, answer.tokens_in, answer.tokens_out) == ("labor", "休暇の話です", 120, 12)
    assert answer.confidence == pytest.approx(0.75)
    (sent,) = server.requests
    assert sent.headers["authorization"] == "Bearer sk-secret"
    body = sent.json
    assert body["model"] == "some/model"
    assert body["messages"] == [{"role": "system", "content": prompt.text}, {"role": "user", "content": QUESTION}]
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert list(schema["schema"]["properties"]) == ["reason", "category"] == schema["schema"]["required"]
    assert schema["schema"]["properties"]["category"]["enum"] == ["労務", "HR", "その他"]
    assert schema["schema"]["additionalProperties"] is False
    assert (body["temperature"], body["logprobs"], body["store"]) == (0, True, False)
    assert body["prompt_cache_key"] == prompt.id


@pytest.mark.parametrize(
    "unusable",
    [
        completion(None, refused="I will not"),
        completion('{"reason": "x", "category": "労', finish_reason="length"),
        completion('{"reason": "x", "category": "労務"}', finish_reason="content_filter"),
        completion(""),
        completion(None),
        completion('{"reason": "x"'),
        completion('{"reason": "x", "category": "法務"}'),
        completion('{"reason": "労務"}'),
        completion('["労務", "HR"]'),
        completion('{"reason": "x", "category": ["労務", "HR"]}'),
    ],
)
async def test_unusable_answer_is_retried_once_then_refused(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt, unusable: Reply
) -> None:
    server.on(CHAT, unusable, said("HR", p=0.5))
    assert (await serving.classify(model, prompt, QUESTION)).category == "hr"
    server.on(CHAT, unusable)
    with pytest.raises(ModelRefused):
        await serving.classify(model, prompt, QUESTION)
    assert len(server.sent(CHAT)) == 4


async def test_ignored_schema_is_replaced_by_plain_words(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    fenced = completion('Sure {thing}:\n```json\n{"reason": "r", "category": "HR"}\n```\nBye {"x": 1}')
    server.on(CHAT, completion("It is HR, I think."), fenced)
    assert (await serving.classify(model, prompt, QUESTION)).category == "hr"
    await serving.classify(model, prompt, QUESTION)
    first, *later = [got.json for got in server.sent(CHAT)]
    assert first["response_format"]["type"] == "json_schema"
    assert len(later) == 2
    for body in later:
        assert "response_format" not in body
        system, user = body["messages"]
        assert system["content"] == prompt.text
        assert user["content"].startswith(QUESTION + "\n\n")
        assert all(name in user["content"] for name in prompt.names)


async def test_request_shape_is_simplified_only_once(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    validating = Reply({"detail": [{"type": "extra_forbidden", "loc": ["body", "store"]}]}, 422)
    server.on(
        CHAT,
        refusal(400, "Unsupported value", param="temperature", code="unsupported_value"),
        refusal(403, "You are not allowed to request logprobs from this model"),
        validating,
        refusal(400, "Unrecognized request argument supplied: prompt_cache_key"),
        refusal(400, "Use 'max_tokens'", param="max_completion_tokens", code="unsupported_parameter"),
        *[refusal(500, "response_format: Input should be 'text' or 'json_object'") for _ in range(3)],
        refusal(400, "no grammar", param="response_format.type"),
        said("HR"),
    )
    answer = await serving.classify(model, prompt, QUESTION)
    assert (answer.category, answer.confidence) == ("hr", None)
    count = len(server.sent(CHAT))
    bodies = [got.json for got in server.sent(CHAT)]
    assert bodies[-2]["response_format"] == {"type": "json_object"}
    assert set(bodies[-1]) == {"model", "messages"}
    await serving.classify(model, prompt, QUESTION)
    assert len(server.sent(CHAT)) == count + 1
    assert server.sent(CHAT)[-1].json == bodies[-1]
    other = ModelName(provider="there", model="other")
    await serving.classify(other, prompt, QUESTION)
    assert "response_format" in server.sent(CHAT)[-1].json


async def test_refusal_without_a_parameter_is_final(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, refusal(400, "maximum context length is 8192 tokens", code="context_length_exceeded"))
    with pytest.raises(ModelRefused, match="maximum context length"):
        await serving.classify(model, prompt, QUESTION)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"), [(400, {"error": {"message": "Bad Request", "code": 400}}), (422, "no"), (501, "no")]
)
async def test_unexplained_refusal_leads_to_the_bare_request(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt, status: int, body: object
) -> None:
    once = 3 if status == 501 else 1
    server.on(CHAT, *[Reply(body, status, RETRY_AT_ONCE)] * once, said("HR"))
    assert (await serving.classify(model, prompt, QUESTION)).category == "hr"
    bare = server.sent(CHAT)[once].json
    assert set(bare) == {"model", "messages"}
    assert all(name in bare["messages"][-1]["content"] for name in prompt.names)
    await serving.classify(model, prompt, QUESTION)
    # A 501 may have passed by itself, so the full request is tried again.
    assert ("response_format" in server.sent(CHAT)[-1].json) is (status == 501)
    assert len(server.sent(CHAT)) == once + 2


async def test_proven_request_is_not_simplified_after_errors(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, said("HR"), Reply({"error": {"message": "oh"}}, 400))
    await serving.classify(model, prompt, QUESTION)
    with pytest.raises(ModelRefused):
        await serving.classify(model, prompt, QUESTION)
    assert len(server.sent(CHAT)) == 2


async def test_server_that_refuses_everything_is_given_up(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    names = "top_logprobs logprobs store prompt_cache_key max_completion_tokens temperature response_format"
    server.on(CHAT, refusal(400, f"all of {names} is bad"))
    with pytest.raises(ModelRefused):
        await serving.classify(model, prompt, QUESTION)
    assert len(server.requests) == 9


RETRY_IN_A_MINUTE = {"retry-after": "60"}
EMPTY = completion("")
NOWHERE = Trouble.UNKNOWN_ADDRESS
FILTERED = Trouble.FILTERED
AZURE_FILTER = Reply(
    {
        "error": {
            "message": "The response was filtered due to the prompt triggering Azure's content management policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"self_harm": {"filtered": True, "severity": "high"}},
            },
        }
    },
    400,
)
OPENROUTER_MODERATION = Reply(
    {
        "error": {
            "code": 403,
            "message": "Your input was flagged",
            "metadata": {"reasons": ["self-harm"], "flagged_input": "I want", "provider_name": "OpenAI"},
        }
    },
    403,
)
FAILURE_CASES = [
    (Reply({"error": {"message": "slow down"}}, 429, RETRY_AT_ONCE), ModelDown, Trouble.BUSY, 3),
    (Reply({"error": {"message": "slow down"}}, 429, RETRY_IN_A_MINUTE), ModelDown, Trouble.BUSY, 1),
    (Reply({"error": {"message": "slow down"}}, 503, RETRY_IN_A_MINUTE), ModelDown, Trouble.DOWN, 1),
    (Reply({"error": {"message": "oh"}}, 500, RETRY_AT_ONCE), ModelDown, Trouble.DOWN, 4),
    (Reply({"error": {"message": "oh"}}, 503, RETRY_AT_ONCE), ModelDown, Trouble.DOWN, 3),
    (Reply("<html>Bad gateway</html>", 502, RETRY_AT_ONCE), ModelDown, Trouble.DOWN, 3),
    (Reply({"error": {"message": "busy"}}, 409, RETRY_AT_ONCE), ModelDown, Trouble.BUSY, 3),
    (Reply({"error": {"message": "late"}}, 408, RETRY_AT_ONCE), ModelDown, Trouble.SLOW, 3),
    (Reply(lost=True), ModelDown, Trouble.UNREACHABLE, 3),
    (Reply("{", 200), ModelDown, Trouble.BROKEN, 1),
    (Reply('{"choices": [{"message": {"content": "{', 200), ModelDown, Trouble.BROKEN, 1),
    (Reply("<html></html>", 200), ModelDown, Trouble.BROKEN, 1),
    (Reply({"error": {"message": "upstream"}}, 200), ModelDown, Trouble.DOWN, 1),
    (Reply({"error": {"message": "slow down", "code": 429}}, 200), ModelDown, Trouble.BUSY, 1),
    (Reply({"error": {"message": "oh", "code": "502"}, "choices": []}, 200), ModelDown, Trouble.DOWN, 1),
    (Reply({"error": "overloaded"}, 200), ModelDown, Trouble.DOWN, 1),
    (Reply({"object": "error", "message": "too long", "code": 400}, 200), ModelRefused, Trouble.REFUSED, 2),
    (Reply({"error": {"message": "no", "code": "content_filter"}}, 200), ModelRefused, Trouble.FILTERED, 1),
    (AZURE_FILTER, ModelRefused, Trouble.FILTERED, 1),
    (refusal(400, "Output data may contain bad content", code="data_inspection_failed"), ModelRefused, FILTERED, 1),
    (OPENROUTER_MODERATION, ModelRefused, Trouble.FILTERED, 1),
    (completion("", finish_reason="content_filter"), ModelRefused, Trouble.FILTERED, 2),
    (completion(None, finish_reason="SAFETY"), ModelRefused, Trouble.FILTERED, 2),
    (refusal(400, "the parameter content_filter is bad"), ModelRefused, Trouble.REFUSED, 2),
    (Reply({"error": {"message": "pay", "code": "insufficient_quota"}}, 200), ModelRefused, Trouble.QUOTA, 1),
    (Reply({"error": {"message": "no", "type": "authentication_error"}}, 200), ModelRefused, Trouble.KEY, 1),
    (
        Reply({"choices": [{"finish_reason": "error", "error": {"code": 503, "message": "oh"}}]}, 200),
        ModelDown,
        Trouble.DOWN,
        1,
    ),
    (Reply({"choices": [{"message": None}]}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"choices": [{"message": {"content": 7}}]}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"choices": []}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"choices": None}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"choices": {"message": "HR"}}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"choices": ["HR", 7]}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"choices": [None]}, 200), ModelRefused, Trouble.UNUSABLE, 2),
    (Reply({"output": [{"content": "HR"}]}, 200), ModelDown, Trouble.BROKEN, 1),
    (refusal(429, "You exceeded your current quota", code="insufficient_quota"), ModelRefused, Trouble.QUOTA, 1),
    (Reply({"error": {"type": "insufficient_quota"}}, 429, RETRY_AT_ONCE), ModelRefused, Trouble.QUOTA, 1),
    (refusal(400, "Billing hard limit", code="billing_hard_limit_reached"), ModelRefused, Trouble.QUOTA, 1),
    (Reply("Payment required", 402), ModelRefused, Trouble.QUOTA, 1),
    (refusal(401, "Incorrect API key"), ModelRefused, Trouble.KEY, 1),
    (refusal(403, "no access"), ModelRefused, Trouble.KEY, 1),
    (refusal(404, "no such model", code="model_not_found"), ModelRefused, Trouble.UNKNOWN_MODEL, 1),
    (refusal(404, "The model `m` does not exist."), ModelRefused, Trouble.UNKNOWN_MODEL, 1),
    (refusal(404, "'m' not found"), ModelRefused, Trouble.UNKNOWN_MODEL, 1),
    (refusal(404, "no", code="DeploymentNotFound"), ModelRefused, Trouble.NOT_DEPLOYED, 1),
    (refusal(404, "The API deployment for this resource does not exist."), ModelRefused, Trouble.NOT_DEPLOYED, 1),
    (refusal(404, "Unknown request URL: POST /chat/completions", code="unknown_url"), ModelRefused, NOWHERE, 1),
    (Reply({"detail": "Not Found"}, 404), ModelRefused, NOWHERE, 1),
    (Reply("<html>no such model page</html>", 404), ModelRefused, NOWHERE, 1),
    (Reply("404 page not found", 404), ModelRefused, NOWHERE, 1),
    (Reply({"error": {"code": "404", "message": "Resource not found"}}, 404), ModelRefused, NOWHERE, 1),
    (refusal(413, "too large"), ModelRefused, Trouble.REFUSED, 1),
    (EMPTY, ModelRefused, Trouble.UNUSABLE, 2),
    (completion(None, refused="I will not"), ModelRefused, Trouble.UNUSABLE, 2),
    (completion('{"reason": "x", "cat'), ModelRefused, Trouble.UNUSABLE, 2),
    (completion('{"reason": "x", "category": "法務"}'), ModelRefused, Trouble.UNUSABLE, 2),
]
"""Each failure of the table in docs/operate.md: reply, error, trouble, and the number of requests that it costs."""


@pytest.mark.parametrize("row", FAILURE_CASES)
async def test_each_failure_has_its_error_and_retries(
    server: OpenAIServer, serving: OpenAIModel, prompt: Prompt, row: tuple[Reply, type[ModelError], Trouble, int]
) -> None:
    reply, error, trouble, requests = row
    server.on(CHAT, reply)
    with pytest.raises(error) as raised:
        await serving.classify(ModelName(provider="there", model="m"), prompt, QUESTION)
    assert type(raised.value) is error
    assert raised.value.trouble is trouble
    waits = {"60": 60, "1": 0.001} if error is ModelDown else {}
    assert raised.value.wait_s == waits.get(next(iter(reply.headers.values()), ""))
    assert len(server.requests) == requests


async def test_retry_waits_as_long_as_retry_after(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, Reply({"error": {"message": "slow down"}}, 429, {"retry-after": "1"}), said("HR", p=0.5))
    started = time.monotonic()
    assert (await serving.classify(model, prompt, QUESTION)).category == "hr"
    assert 1 <= time.monotonic() - started < 3


async def test_all_retries_share_one_deadline(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, Reply({"error": {"message": "oh"}}, 500))
    started = time.monotonic()
    with pytest.raises(ModelDown) as raised:
        await OpenAIModel(providers, budget_s=0.2).classify(model, prompt, QUESTION)
    assert raised.value.trouble is Trouble.SLOW
    assert time.monotonic() - started < 2


async def test_lost_connection_raises_model_down(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, Reply(lost=True))
    with pytest.raises(ModelDown, match="reached"):
        await serving.classify(model, prompt, QUESTION)
    assert len(server.requests) == 3


async def test_silent_provider_raises_model_down(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, Reply(wait_s=1))
    with pytest.raises(ModelDown, match="in time"):
        await OpenAIModel(providers, timeout_s=0.05).classify(model, prompt, QUESTION)


async def test_errors_hold_neither_question_nor_key(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    bad_input, bad_key = refusal(400, f"bad input: {QUESTION[:12]}"), refusal(401, "bad key\n sk-secret, " + "x" * 999)
    server.on(CHAT, bad_input, bad_input, bad_key)
    with pytest.raises(ModelRefused) as first:
        await serving.classify(model, prompt, QUESTION)
    assert str(first.value) == "Error code: 400"
    with pytest.raises(ModelRefused, match=r"bad key …, xxx") as second:
        await serving.classify(model, prompt, QUESTION)
    assert len(str(second.value)) <= 300
    assert second.value.__suppress_context__


async def test_confidence_falls_back_to_decisions_without_logprobs(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, said("HR"))
    choice = {
        "type": "choice",
        "name": "category",
        "choice": "労務",
        "confidence": 0.6,
        "probabilities": [{"value": "労務", "probability": 0.6}, {"value": "HR", "probability": 0.3}],
    }
    server.on(DECISIONS, Reply({"answers": [choice]}), Reply({"answers": [{"type": "refusal", "name": "category"}]}))
    first = await serving.classify(model, prompt, QUESTION)
    assert first.confidence == pytest.approx(0.3)
    assert first.others == ("labor",)
    assert (await serving.classify(model, prompt, QUESTION)).confidence is None
    body = server.sent(DECISIONS)[0].json
    assert body["input"] == QUESTION
    (asked,) = body["questions"]
    assert (asked["type"], asked["instructions"]) == ("choice", prompt.text)
    assert [c["value"] for c in asked["choices"]] == prompt.names


@pytest.mark.parametrize(
    ("reply", "asked"),
    [
        (refusal(404, "no"), 1),
        (refusal(400, "not this model"), 1),
        (refusal(405, "no"), 1),
        (Reply("<html>", 200), 1),
        (refusal(429, "slow down"), 2),
        (refusal(500, "oh"), 2),
        (Reply(lost=True), 2),
    ],
)
async def test_decisions_are_not_asked_after_a_refusal(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt, reply: Reply, asked: int
) -> None:
    server.on(CHAT, said("HR"))
    server.on(DECISIONS, reply)
    for _ in range(2):
        assert (await serving.classify(model, prompt, QUESTION)).confidence is None
    assert len(server.sent(DECISIONS)) == asked


async def test_sdk_takes_nothing_from_the_environment(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, prompt: Prompt
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "ambient")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Ambient: ambient")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/ambient")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.on(CHAT, said("HR", p=0.9))
    providers = Providers([Provider("open", server.url), Provider("openai", None, SecretStr("k"))])
    await OpenAIModel(providers).classify(ModelName(provider="open", model="m"), prompt, QUESTION)
    assert not [value for value in server.requests[0].headers.values() if "ambient" in value]
    assert str(providers["openai"].base_url) == "https://api.openai.com/v1/"
    await providers.aclose()


async def test_unknown_provider_error_names_the_variable(serving: OpenAIModel, prompt: Prompt) -> None:
    with pytest.raises(ModelRefused, match=r"there is no provider 'nebius'.*BOT_PROVIDERS__NEBIUS__BASE_URL"):
        await serving.classify(ModelName(provider="nebius", model="m"), prompt, QUESTION)


def test_invalid_provider_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="BOT_PROVIDERS__HERE__BASE_URL"):
        Provider("here", kind="compatible")
    with pytest.raises(ValueError, match="API key") as raised:
        Provider("here", api_key="鍵123\n")
    assert "123" not in str(raised.value)
    assert "sk-x" not in repr(Provider("here", api_key="sk-x"))


def test_providers_are_a_mapping() -> None:
    providers = Providers([Provider("a"), Provider("b", "http://localhost:1/v1", kind="azure")])
    assert list(providers) == ["a", "b"]
    assert len(providers) == 2
    assert "c" not in providers
    assert providers.kind("b") == "azure"


def with_content(content: object, **choice: object) -> Reply:
    """Return a completion with this content, of whatever shape, and with these fields of its choice."""
    return Reply({"choices": [{"message": {"content": content}, "finish_reason": "stop", **choice}]})


ANSWER = '{"reason": "because", "category": "労務"}'
DRAFT = '{"reason": "draft", "category": "HR"}'


@pytest.mark.parametrize(
    "reply",
    [
        with_content([{"type": "text", "text": ANSWER}]),
        with_content([{"type": "text", "text": ANSWER[:9]}, {"type": "text", "text": ANSWER[9:]}]),
        with_content(
            [{"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}, {"type": "text", "text": ANSWER}]
        ),
        with_content([{"type": "text", "text": ANSWER}, {"type": "reasoning", "text": DRAFT}]),
        with_content([{"type": "text", "text": DRAFT, "thought": True}, {"text": ANSWER}]),
        with_content([{"type": "output_text", "text": {"value": ANSWER}}, None, 7]),
        with_content(["", ANSWER]),
        with_content({"reason": "because", "category": "労務"}),
        with_content(f"<think>{DRAFT}</think>{ANSWER}"),
        with_content(ANSWER, logprobs=None),
        with_content(ANSWER, logprobs={}),
        with_content(ANSWER, logprobs={"content": None}),
        with_content(ANSWER, logprobs={"content": []}),
        with_content(ANSWER, logprobs={"content": [{"token": ANSWER, "logprob": None}]}),
        with_content(ANSWER, logprobs={"content": [{"token": None, "logprob": -1}]}),
        with_content(ANSWER, logprobs={"content": [{"token": ANSWER, "logprob": "much"}]}),
        with_content(ANSWER, logprobs={"content": [{"token": ANSWER, "logprob": -1, "bytes": [999]}]}),
        with_content(ANSWER, logprobs={"tokens": [ANSWER], "token_logprobs": [-1]}),
        with_content(ANSWER, logprobs=[-1]),
        with_content(ANSWER, finish_reason=None),
        with_content(ANSWER, finish_reason=0),
        Reply({"choices": [{"message": {"content": ANSWER, "refusal": {}, "reasoning_content": DRAFT}}], "usage": 7}),
        Reply({"choices": [{"message": {"content": ANSWER}}], "usage": {"prompt_tokens": None}, "error": None}),
    ],
)
async def test_answer_of_another_shape_costs_one_request(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt, reply: Reply
) -> None:
    server.on(CHAT, reply)
    answer = await serving.classify(model, prompt, QUESTION)
    assert (answer.category, answer.reason, answer.confidence) == ("labor", "because", None)
    assert len(server.sent(CHAT)) == 1


@pytest.mark.parametrize("half", [r"\ud83d", r"\\ud83d"])
async def test_half_an_emoji_in_a_reason_is_replaced(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt, half: str
) -> None:
    body = json.dumps({"choices": [{"message": {"content": '{"reason": "r#", "category": "HR"}'}}]})
    server.on(CHAT, Reply(body.replace("#", half)))
    answer = await serving.classify(model, prompt, QUESTION)
    assert (answer.category, answer.reason) == ("hr", "r\ufffd")
    assert len(server.sent(CHAT)) == 1


async def test_confidence_is_that_of_the_answer(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    before, after = f"<think>{DRAFT}</think>" + ANSWER[: ANSWER.index("労務")], '"}'
    tokens = [(before.encode(), -3.0), ("労務".encode(), -0.5), (after.encode(), 0.0)]
    server.on(CHAT, completion(before + "労務" + after, logprobs=tokens))
    answer = await serving.classify(model, prompt, QUESTION)
    assert answer.category == "labor"
    assert answer.confidence == pytest.approx(0.6065, abs=1e-4)


async def test_reasoning_in_another_field_is_no_answer(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, Reply({"choices": [{"message": {"content": None, "reasoning_content": ANSWER}}]}))
    with pytest.raises(ModelRefused) as raised:
        await serving.classify(model, prompt, QUESTION)
    assert raised.value.trouble is Trouble.UNUSABLE


async def test_drafted_reason_is_never_empty(
    server: OpenAIServer, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, completion('{"reason": null, "category": "HR"}'), completion('{"reason": "r", "category": "HR"}'))
    assert await serving.reason(model, prompt, QUESTION, "hr") == "r"
