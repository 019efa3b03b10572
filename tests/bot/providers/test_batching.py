"""Batches of questions at a scripted provider."""

import json

import pytest

from bot.domain.errors import ModelRefused, OutcomeUnknown, Reason, Refused
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.ports import Answer
from bot.providers import batching
from bot.providers.batching import BATCH_METADATA_KEY, OpenAIBatcher
from bot.providers.model import OpenAIModel
from bot.providers.providers import Providers
from tests.kits.openai_server import CHAT, FILES, OpenAIServer, Reply, refusal, said

BATCHES = "POST /v1/batches"
LIST = "GET /v1/batches"
BATCH = "GET /v1/batches/batch_1"
ASKED = [("k1", "有給は何日前？", ()), ("k2", "評価面談はいつ？", ())]


@pytest.fixture
def serving(providers: Providers) -> OpenAIModel:
    return OpenAIModel(providers)


@pytest.fixture
def batcher(providers: Providers, serving: OpenAIModel) -> OpenAIBatcher:
    return OpenAIBatcher(providers, serving)


def batch_json(status: str = "validating", **more: object) -> dict[str, object]:
    return {"id": "batch_1", "object": "batch", "status": status, **more}


def result_line(key: str, reply: Reply, status: int = 200) -> str:
    return json.dumps({"custom_id": key, "response": {"status_code": status, "body": reply.body}, "error": None})


async def test_lines_equal_direct_requests(
    server: OpenAIServer, batcher: OpenAIBatcher, serving: OpenAIModel, model: ModelName, prompt: Prompt
) -> None:
    server.on(CHAT, refusal(400, "unknown", param="store"), said("労務", p=0.5))
    for _, text, _ in ASKED:
        await serving.classify(model, prompt, text)
    server.on(FILES, Reply({"id": "file-1"}))
    server.on(BATCHES, Reply(batch_json()))
    assert await batcher.submit(model, prompt, ASKED, "eb-1") == "batch_1"
    (file,), (created,) = server.sent(FILES), server.sent(BATCHES)
    assert b'name="purpose"\r\n\r\nbatch\r\n' in file.body
    lines = [json.loads(one) for one in file.body.split(b"\n") if one.startswith(b'{"custom_id"')]
    assert [(one["custom_id"], one["method"], one["url"]) for one in lines] == [
        ("k1", "POST", "/v1/chat/completions"),
        ("k2", "POST", "/v1/chat/completions"),
    ]
    assert [one["body"] for one in lines] == [got.json for got in server.sent(CHAT)[1:]]
    assert created.json == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {BATCH_METADATA_KEY: "eb-1"},
    }


async def test_answers_are_matched_by_key_despite_failures(
    server: OpenAIServer, batcher: OpenAIBatcher, model: ModelName, prompt: Prompt
) -> None:
    server.on(BATCH, Reply(batch_json("completed", output_file_id="out", error_file_id="err")))
    out = [
        result_line("k3", said("営業")),
        result_line("k2", said("HR", p=0.25)),
        result_line("k1", said("労務", "有給")),
    ]
    server.on("GET /v1/files/out/content", Reply("\n".join(out) + "\n"))
    broken = [result_line("k4", refusal(500, "oh"), 500), json.dumps({"custom_id": "k5", "response": None}), "{"]
    server.on("GET /v1/files/err/content", Reply("\n".join(broken)))
    found = await batcher.answers(model, prompt, "batch_1")
    assert found["k1"] == Answer(category="labor", reason="有給", confidence=None, tokens_in=120, tokens_out=12)
    second = found["k2"]
    assert isinstance(second, Answer)
    assert second.category == "hr"
    assert second.confidence == pytest.approx(0.25)
    assert {key for key, one in found.items() if isinstance(one, ModelRefused)} == {"k3", "k4", "k5"}


@pytest.mark.parametrize(("status", "ended"), [("validating", 0), ("in_progress", 0), ("completed", 1), ("expired", 1)])
async def test_state_tells_whether_the_batch_ended(
    server: OpenAIServer, batcher: OpenAIBatcher, model: ModelName, status: str, ended: int
) -> None:
    server.on(BATCH, Reply(batch_json(status, errors={"data": [{"message": "line 3"}]})))
    found = await batcher.state(model, "batch_1")
    assert (found.id, found.ended, found.error) == ("batch_1", ended, "line 3")


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(lost=True), OutcomeUnknown), (refusal(500, "oh"), OutcomeUnknown), (refusal(429, "quota"), ModelRefused)],
)
async def test_creation_is_sent_once_and_found_again(
    server: OpenAIServer,
    batcher: OpenAIBatcher,
    model: ModelName,
    prompt: Prompt,
    reply: Reply,
    error: type[Exception],
) -> None:
    server.on(FILES, Reply({"id": "file-1"}))
    server.on(BATCHES, reply)
    with pytest.raises(ModelRefused) as raised:
        await batcher.submit(model, prompt, ASKED, "eb-1")
    assert raised.type is error
    assert len(server.sent(BATCHES)) == 1
    mine = batch_json(metadata={BATCH_METADATA_KEY: "eb-1"})
    server.on(LIST, Reply({"data": [batch_json() | {"id": "batch_0"}], "has_more": True}), Reply({"data": [mine]}))
    assert await batcher.find(model, "eb-1") == "batch_1"
    assert server.sent(LIST)[1].query["after"] == "batch_0"
    assert await batcher.find(model, "eb-2") is None


async def test_check_refuses_a_provider_without_batches(
    server: OpenAIServer, batcher: OpenAIBatcher, model: ModelName
) -> None:
    with pytest.raises(Refused) as raised:
        await batcher.check(model)
    assert raised.value.reason is Reason.NO_BATCHES
    server.on(LIST, refusal(401, "no"), Reply({"data": []}))
    with pytest.raises(ModelRefused):
        await batcher.check(model)
    await batcher.check(model)


async def test_oversized_batch_is_refused_before_upload(
    server: OpenAIServer,
    batcher: OpenAIBatcher,
    model: ModelName,
    prompt: Prompt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "MOST_REQUESTS", 1)
    with pytest.raises(Refused) as raised:
        await batcher.submit(model, prompt, ASKED, "eb-1")
    assert raised.value.reason is Reason.BATCH_TOO_LARGE
    assert not server.requests


@pytest.mark.parametrize("gone", [200, 404, 410])
async def test_files_of_a_batch_are_deleted(
    server: OpenAIServer, batcher: OpenAIBatcher, model: ModelName, gone: int
) -> None:
    """A file that is gone already is no error: an earlier try deleted it, or it expired."""
    files = {"input_file_id": "file-in", "output_file_id": "file-out", "error_file_id": None}
    server.on(BATCH, Reply(batch_json("completed", **files)))
    server.on("DELETE /v1/files/file-in", Reply({"id": "file-in", "deleted": True}, gone))
    server.on("DELETE /v1/files/file-out", Reply({"id": "file-out", "deleted": True}))
    await batcher.delete_files(model, "batch_1")
    assert [got.route for got in server.requests if got.route.startswith("DELETE")] == [
        "DELETE /v1/files/file-in",
        "DELETE /v1/files/file-out",
    ]


async def test_refused_deletion_is_told(server: OpenAIServer, batcher: OpenAIBatcher, model: ModelName) -> None:
    server.on(BATCH, Reply(batch_json("completed", input_file_id="file-in")))
    server.on("DELETE /v1/files/file-in", refusal(403, "forbidden"))
    with pytest.raises(ModelRefused):
        await batcher.delete_files(model, "batch_1")
