"""A provider whose JSON is nested too deeply: its answer counts as broken or refused, and no other error is raised."""

from collections.abc import Awaitable, Callable

import pytest

from bot.domain.errors import ModelError
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.providers.batching import OpenAIBatcher
from bot.providers.model import OpenAIModel
from bot.providers.providers import Providers
from bot.providers.tokens import OfflineEstimator
from bot.providers.training import OpenAITrainer
from bot.providers.training_file import check
from bot.providers.wire import MESSAGE_CHARS
from tests.kits.deep_json import DEEP, deep_objects
from tests.kits.openai_server import CHAT, OpenAIServer, Reply, completion, said

Verb = Callable[[Providers, ModelName, Prompt], Awaitable[object]]
VERBS: dict[str, Verb] = {
    "classify": lambda providers, model, prompt: OpenAIModel(providers).classify(model, prompt, "有給は？"),
    "upload": lambda providers, model, _: OpenAITrainer(providers).upload(model, "rows.jsonl", [b"{}"]),
    "create": lambda providers, model, _: OpenAITrainer(providers).create(model, "file-1", "ft-1", "x"),
    "job": lambda providers, model, _: OpenAITrainer(providers).job(model, "ftjob-1"),
    "report": lambda providers, model, _: OpenAITrainer(providers).report(model, "ftjob-1"),
    "batch": lambda providers, model, _: OpenAIBatcher(providers, OpenAIModel(providers)).state(model, "batch_1"),
}
ROUTES = (
    CHAT,
    *("POST /v1/files", "POST /v1/fine_tuning/jobs", "GET /v1/fine_tuning/jobs"),
    *("GET /v1/fine_tuning/jobs/ftjob-1", "GET /v1/fine_tuning/jobs/ftjob-1/events", "GET /v1/batches/batch_1"),
    *("POST /v1/decisions", "GET /v1/models", "GET /v1/models/some/model"),
)


@pytest.mark.parametrize("status", [200, 400, 402, 404, 429, 500])
@pytest.mark.parametrize("levels", DEEP)
async def test_deep_body_is_a_models_error(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt, levels: int, status: int
) -> None:
    for body in (DEEP[levels], f'{{"error": {DEEP[levels]}}}', f'{{"choices": {deep_objects(levels)}}}'):
        for route in ROUTES:
            server.on(route, Reply(body, status, {"x-should-retry": "false"}))
        for verb in VERBS.values():
            with pytest.raises(ModelError) as failed:
                await verb(providers, model, prompt)
            assert len(str(failed.value)) <= MESSAGE_CHARS


@pytest.mark.parametrize("levels", DEEP)
async def test_deep_content_is_no_answer(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt, levels: int
) -> None:
    for content in (DEEP[levels], deep_objects(levels), f'{{"reason": {DEEP[levels]}, "category": "労務"}}'):
        server.on(CHAT, completion(content), said("労務", p=0.9))
        assert (await OpenAIModel(providers).classify(model, prompt, "有給は？")).category == "labor"


@pytest.mark.parametrize("levels", DEEP)
def test_deep_training_file_is_refused_and_counted(levels: int) -> None:
    for line in (DEEP[levels], f'{{"messages": {DEEP[levels]}}}', deep_objects(levels)):
        assert check([line.encode()])
        with pytest.raises(ValueError, match="not a training file"):
            OfflineEstimator().tokens([line.encode()])
