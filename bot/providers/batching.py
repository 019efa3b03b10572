"""Asking many questions together, at providers with OpenAI's batch endpoint."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from openai import APIStatusError, AsyncOpenAI, OpenAIError
from pydantic import BaseModel, ValidationError

from bot.domain.batch import BatchJob
from bot.domain.errors import ModelError, ModelRefused, Reason, Refused
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.providers.asking import Task
from bot.providers.model import OpenAIModel, answer_of
from bot.providers.providers import Providers
from bot.providers.reading import Completion, Unusable
from bot.providers.training import UPLOAD_S, not_created
from bot.providers.wire import read, translated

BATCH_METADATA_KEY = "madoguchi_batch"
ENDPOINT: Final = "/v1/chat/completions"
MOST_REQUESTS = 50_000
"""Of one batch at OpenAI (platform.openai.com, Batch API)."""
BATCH_FILE_BYTES = 200_000_000
"""Of one batch's file, ibid."""
BATCH_LIST_PAGES = 100
"""Of 100 batches each."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_UNKNOWN_ROUTE = frozenset({404, 405, 501})


class _File(BaseModel):
    id: str


class _Problem(BaseModel):
    message: str | None = None


class _Problems(BaseModel):
    data: list[_Problem] | None = None


class _Batch(BaseModel):
    id: str
    status: str
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Problems | None = None
    metadata: dict[str, object] | None = None


class _Batches(BaseModel):
    data: list[_Batch]
    has_more: bool | None = None


class _Response(BaseModel):
    status_code: int = 0
    body: dict[str, Any] | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None


class OpenAIBatcher:
    """`ports.Batcher` over `/v1/files` and `/v1/batches`.

    Args:
        providers: where models are.
        model: asks in person; what it has learnt of a model's requests holds for batches too.
    """

    def __init__(self, providers: Providers, model: OpenAIModel) -> None:
        self._providers = providers
        self._model = model

    async def check(self, model: ModelName) -> None:
        """Raises Refused NO_BATCHES where the provider has no batches; ModelDown, ModelRefused."""
        with translated():
            try:
                await read(self._client(model).batches.with_raw_response.list(limit=1), _Batches)
            except APIStatusError as error:
                if error.status_code in _UNKNOWN_ROUTE:
                    raise Refused(Reason.NO_BATCHES, provider=model.provider) from None
                raise

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        """The provider's id of a new batch. Its creation is sent once."""
        shape = self._model.shape(model)
        lines = [
            json.dumps(
                {
                    "custom_id": key,
                    "method": "POST",
                    "url": ENDPOINT,
                    "body": shape.body(model.model, Task(prompt, text, examples)),
                },
                ensure_ascii=False,
            )
            for key, text, examples in asked
        ]
        data = ("\n".join(lines) + "\n").encode()
        if len(lines) > MOST_REQUESTS or len(data) > BATCH_FILE_BYTES:
            raise Refused(Reason.BATCH_TOO_LARGE, n=len(lines), most=MOST_REQUESTS, mb=BATCH_FILE_BYTES // 1_000_000)
        client = self._client(model)
        with translated():
            file = await read(
                client.files.with_raw_response.create(
                    file=(f"{run_id}.jsonl", data, "application/jsonl"), purpose="batch", timeout=UPLOAD_S
                ),
                _File,
            )
        call = client.with_options(max_retries=0).batches.with_raw_response.create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata={BATCH_METADATA_KEY: run_id}
        )
        try:
            return (await read(call, _Batch)).id
        except (OpenAIError, ValidationError) as error:
            raise not_created(error) from None

    async def find(self, model: ModelName, run_id: str) -> str | None:
        """The batch whose metadata holds this id."""
        with translated():
            async for batch in _listed(self._client(model)):
                if (batch.metadata or {}).get(BATCH_METADATA_KEY) == run_id:
                    return batch.id
        return None

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        """As it stands."""
        batch = await self._get(model, batch_id)
        told = [one.message for one in (batch.errors and batch.errors.data) or [] if one.message]
        return BatchJob(id=batch.id, ended=batch.status in _ENDED, error="; ".join(told)[:300] or None)

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        """What came of each question, by key, in whatever order the provider wrote them."""
        batch = await self._get(model, batch_id)
        found: dict[str, Answer | ModelError] = {}
        client = self._client(model)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is None:
                continue
            with translated():
                data = (await client.files.with_raw_response.content(file_id)).content
            for line in data.decode().split("\n"):
                if line.strip():
                    key, answer = _answer(line, prompt)
                    found[key] = answer
        found.pop("", None)
        return found

    async def _get(self, model: ModelName, batch_id: str) -> _Batch:
        with translated():
            return await read(self._client(model).batches.with_raw_response.retrieve(batch_id), _Batch)

    def _client(self, model: ModelName) -> AsyncOpenAI:
        return self._providers[model.provider]


def _answer(line: str, prompt: Prompt) -> tuple[str, Answer | ModelError]:
    """A line's key and its answer; the key is empty where the line is none."""
    try:
        given = _Line.model_validate_json(line)
    except ValidationError:
        return "", ModelRefused("a line of the batch is not what its protocol says")
    if given.response is None or given.response.status_code != 200:
        return given.custom_id, ModelRefused("the provider did not answer this line")
    try:
        completion = Completion.model_validate(given.response.body)
        return given.custom_id, answer_of(completion, Task(prompt, ""))
    except (ValidationError, Unusable) as error:
        why = str(error) if isinstance(error, Unusable) else "the answer is not what its protocol says"
        return given.custom_id, ModelRefused(why)


async def _listed(client: AsyncOpenAI) -> AsyncIterator[_Batch]:
    """All batches, page by page; a server that ignores paging sends the same page again, which ends it."""
    seen: set[str] = set()
    after: dict[str, str] = {}
    for _ in range(BATCH_LIST_PAGES):
        page = await read(client.batches.with_raw_response.list(limit=100, extra_query=after), _Batches)
        new = [batch for batch in page.data if batch.id not in seen]
        for batch in new:
            yield batch
        if not new or page.has_more is False:
            return
        seen.update(batch.id for batch in new)
        after = {"after": page.data[-1].id}
