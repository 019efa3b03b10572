"""Classification in batches, at providers with OpenAI's batch endpoint."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from pydantic import ValidationError

from bot.domain.batch import BatchJob
from bot.domain.errors import ModelError, ModelRefused, Reason, Refused, Trouble
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.providers.asking import Task
from bot.providers.model import OpenAIModel, parse_answer
from bot.providers.providers import Providers
from bot.providers.reading import Completion, UnusableAnswer
from bot.providers.sdk import sdk
from bot.providers.training import FILE_SECONDS, UPLOAD_S, creation_error
from bot.providers.wire import ResponseBody, names_filter, parse_body, read, translate_errors

BATCH_METADATA_KEY = "madoguchi_batch"
ENDPOINT: Final = "/v1/chat/completions"
MOST_REQUESTS = 50_000
"""Most requests of one batch at OpenAI (platform.openai.com, Batch API)."""
BATCH_FILE_BYTES = 200_000_000
"""Largest size of a batch's file at OpenAI (platform.openai.com, Batch API)."""
BATCH_LIST_PAGES = 100
"""Most pages that a search reads, of 100 batches each."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_UNKNOWN_ROUTE = frozenset({404, 405, 501})


class _File(ResponseBody):
    id: str


class _Problem(ResponseBody):
    message: str | None = None


class _Problems(ResponseBody):
    data: list[_Problem] | None = None


class _Batch(ResponseBody):
    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Problems | None = None
    metadata: dict[str, object] | None = None


class _Batches(ResponseBody):
    data: list[_Batch]
    has_more: bool | None = None


class _Response(ResponseBody):
    status_code: int = 0
    body: dict[str, Any] | None = None


class _Line(ResponseBody):
    custom_id: str
    response: _Response | None = None


class OpenAIBatcher:
    """`ports.Batcher` over `/v1/files` and `/v1/batches`.

    Args:
        providers: The SDK clients.
        model: Knows the request shape that each model accepts; batches use the same shape.
    """

    def __init__(self, providers: Providers, model: OpenAIModel) -> None:
        self._providers = providers
        self._model = model

    async def check(self, model: ModelName) -> None:
        """Check that the provider has a batch endpoint.

        Raises:
            Refused: NO_BATCHES, when it has none.
            ModelDown: The provider is down or overloaded.
            ModelRefused: The provider refused the request.
        """
        with translate_errors():
            try:
                await read(self._client(model).batches.with_raw_response.list(limit=1), _Batches)
            except sdk.APIStatusError as error:
                if error.status_code in _UNKNOWN_ROUTE:
                    raise Refused(Reason.NO_BATCHES, provider=model.provider) from None
                raise

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        """Upload the questions, start a batch and return its id. The creation is never retried.

        Args:
            model: The model that answers.
            prompt: The system message and the categories.
            asked: (key, text, examples) of each question.
            run_id: Goes into the batch's metadata, where `find` looks for it.

        Raises:
            Refused: BATCH_TOO_LARGE.
            ModelDown: The upload failed for now; there is no batch.
            ModelRefused: The provider refused; there is no batch.
            OutcomeUnknown: There may be a batch; look for it with `find`.
        """
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
        kept: dict[str, Any] = {}
        answers: dict[str, Any] = {}
        if self._providers.kind(model.provider) == "openai":
            expiry = {"anchor": "created_at", "seconds": FILE_SECONDS}
            kept, answers = {"expires_after": expiry}, {"output_expires_after": expiry}
        with translate_errors():
            file = await read(
                client.files.with_raw_response.create(
                    file=(f"{run_id}.jsonl", data, "application/jsonl"), purpose="batch", timeout=UPLOAD_S, **kept
                ),
                _File,
            )
        call = client.with_options(max_retries=0).batches.with_raw_response.create(
            input_file_id=file.id,
            endpoint=ENDPOINT,
            completion_window="24h",
            metadata={BATCH_METADATA_KEY: run_id},
            **answers,
        )
        try:
            return (await read(call, _Batch)).id
        except (sdk.OpenAIError, ValidationError) as error:
            raise creation_error(error) from None

    async def find(self, model: ModelName, run_id: str) -> str | None:
        """Return the id of the batch whose metadata holds this run id; raises ModelDown or ModelRefused."""
        with translate_errors():
            async for batch in _list_batches(self._client(model)):
                if (batch.metadata or {}).get(BATCH_METADATA_KEY) == run_id:
                    return batch.id
        return None

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        """Return the batch's state, its errors cut to 300 characters; raises ModelDown or ModelRefused."""
        batch = await self._get(model, batch_id)
        messages = [problem.message for problem in (batch.errors and batch.errors.data) or [] if problem.message]
        return BatchJob(id=batch.id, ended=batch.status in _ENDED, error="; ".join(messages)[:300] or None)

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        """Return each question's answer or error, by key; raises ModelDown or ModelRefused.

        The provider writes lines in any order, and some questions may have no line.
        """
        batch = await self._get(model, batch_id)
        found: dict[str, Answer | ModelError] = {}
        client = self._client(model)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id is None:
                continue
            with translate_errors():
                data = (await client.files.with_raw_response.content(file_id)).content
            for line in data.decode().split("\n"):
                if line.strip():
                    key, answer = _parse_line(line, prompt)
                    found[key] = answer
        found.pop("", None)
        return found

    async def delete_files(self, model: ModelName, batch_id: str) -> None:
        """Delete the questions and answers of a batch that ended; raises ModelDown or ModelRefused."""
        batch, client = await self._get(model, batch_id), self._client(model)
        for file_id in filter(None, (batch.input_file_id, batch.output_file_id, batch.error_file_id)):
            with translate_errors():
                try:
                    await client.files.with_raw_response.delete(file_id)
                except sdk.APIStatusError as error:
                    if error.status_code not in {404, 410}:
                        raise

    async def _get(self, model: ModelName, batch_id: str) -> _Batch:
        with translate_errors():
            return await read(self._client(model).batches.with_raw_response.retrieve(batch_id), _Batch)

    def _client(self, model: ModelName) -> "sdk.AsyncOpenAI":
        return self._providers[model.provider]


def _parse_line(line: str, prompt: Prompt) -> tuple[str, Answer | ModelError]:
    """Return a line's key and its answer or error; the key is empty if the line is malformed."""
    try:
        parsed = parse_body(line, _Line)
    except ValidationError:
        return "", ModelRefused("a line of the batch is malformed")
    response = parsed.response
    if response is None or response.status_code != 200:
        filtered = response is not None and names_filter(response.status_code, (response.body or {}).get("error"))
        trouble = Trouble.FILTERED if filtered else None
        return parsed.custom_id, ModelRefused("the provider did not answer this line", trouble)
    try:
        completion = Completion.model_validate(response.body)
        return parsed.custom_id, parse_answer(completion, Task(prompt, ""))
    except (ValidationError, UnusableAnswer) as error:
        if isinstance(error, UnusableAnswer):
            return parsed.custom_id, ModelRefused(str(error), error.trouble)
        return parsed.custom_id, ModelRefused("the answer is malformed")


async def _list_batches(client: "sdk.AsyncOpenAI") -> AsyncIterator[_Batch]:
    """Yield all batches, page by page. A repeated page ends the search, because some servers ignore paging."""
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
