"""Fine-tuning at any provider that speaks OpenAI's files and fine-tuning jobs."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
from openai import APIConnectionError, APIStatusError, AsyncOpenAI, OpenAIError
from pydantic import BaseModel, ValidationError

from bot.domain.errors import ModelRefused, OutcomeUnknown
from bot.domain.finetune import Job
from bot.domain.release import ModelName
from bot.providers.providers import Providers
from bot.providers.wire import named_parameter, read, told, translated

JOB_METADATA_KEY = "madoguchi_finetune"
SEED = 20260401
"""The same rows are trained the same way, as far as a provider keeps to it."""
UPLOAD_S = 600.0
"""Seconds that one upload may take: a file may have 512 MB."""
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the looks at an uploaded file. Some servers never say that they processed it, so there is an end."""
JOB_LIST_PAGES = 100
"""Of 100 jobs each."""
BOM = b"\xef\xbb\xbf"
_UNPROCESSED = frozenset({"uploaded", "pending", "running"})


class _File(BaseModel):
    id: str
    status: str | None = None
    status_details: str | None = None


class _Error(BaseModel):
    code: str | int | None = None
    message: str | None = None


class _Job(BaseModel):
    id: str
    status: str = ""
    fine_tuned_model: str | None = None
    error: _Error | str | None = None
    trained_tokens: int | None = None
    metadata: dict[str, object] | None = None

    def thing(self, progress: str | None = None) -> Job:
        """As the acts know it. OpenAI sends `{}` for "no error", so an error is one that says something."""
        error = self.error
        if isinstance(error, _Error):
            error = ": ".join(str(part) for part in (error.code, error.message) if part)
        return Job(
            id=self.id,
            status=self.status,
            model=self.fine_tuned_model or None,
            error=error or None,
            progress=progress,
            trained_tokens=self.trained_tokens,
        )


class _Event(BaseModel):
    message: str = ""
    created_at: float = 0


class _Events(BaseModel):
    data: list[_Event] = []


class _Jobs(BaseModel):
    data: list[_Job]
    has_more: bool | None = None


class OpenAITrainer:
    """`ports.Trainer` over `/v1/files` and `/v1/fine_tuning/jobs`.

    Args:
        providers: where models are trained.
        pauses_s: seconds between the looks at a file that is not processed yet; after the last one it is used as it is.
    """

    def __init__(self, providers: Providers, *, pauses_s: Sequence[float] = PAUSES_S) -> None:
        self._providers = providers
        self._pauses_s = pauses_s

    async def upload(self, student: ModelName, name: str, data: bytes) -> str:
        """The provider's file id, once the file is processed. Azure wants a byte order mark, and gets one.

        Raises:
            ModelDown: try again; a file that is there twice does no harm.
            ModelRefused: the provider does not take this file.
        """
        client = self._providers[student.provider]
        if self._providers.kind(student.provider) == "azure" and not data.startswith(BOM):
            data = BOM + data
        with translated():
            call = client.files.with_raw_response.create(
                file=(name, data, "application/jsonl"), purpose="fine-tune", timeout=UPLOAD_S
            )
            file = await read(call, _File)
            for pause in self._pauses_s:
                if file.status not in _UNPROCESSED:
                    break
                await asyncio.sleep(pause)
                file = await read(client.files.with_raw_response.retrieve(file.id), _File)
        if file.status == "error":
            raise ModelRefused(file.status_details or "the provider could not process the training file")
        return file.id

    async def create(self, student: ModelName, file_id: str, finetune_id: str, suffix: str) -> Job:
        """Start the paid job.

        One request, never sent again once it may have been taken. Where the provider answers 400 or 422 about a
        parameter that it does not know, there is no job for certain, and the same request goes out without it.

        Raises:
            ModelRefused: there is no job: any 4xx but 408 and 409 (a rate limit, 429, is the refusal of this very
                request, RFC 6585), or no connection could be made.
            OutcomeUnknown: there may be a job: no answer, 408, 409, 5xx, or an answer that holds no job.
        """
        client = self._providers[student.provider].with_options(max_retries=0)
        azure = self._providers.kind(student.provider) == "azure"
        options: dict[str, Any] = {
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}},
            "seed": SEED,
            "suffix": _suffix(suffix, azure=azure),
            # Last, so that it is given up last: `find` goes by it.
            "metadata": {JOB_METADATA_KEY: finetune_id},
        }
        while True:
            call = client.fine_tuning.jobs.with_raw_response.create(
                model=student.model, training_file=file_id, **options
            )
            try:
                return (await read(call, _Job)).thing()
            except APIStatusError as error:
                unknown = named_parameter(error, list(options)) if error.status_code in {400, 422} else None
                if unknown is None:
                    raise not_created(error) from None
                del options[unknown]
            except (OpenAIError, ValidationError) as error:
                raise not_created(error) from None

    async def find(self, student: ModelName, finetune_id: str) -> Job | None:
        """The job whose metadata holds this id.

        The provider's filter is only a short cut: one that ignores it, refuses it or misreads it is searched through.

        Raises:
            ModelDown, ModelRefused: the jobs could not be listed.
        """
        client = self._providers[student.provider]
        wanted = {JOB_METADATA_KEY: finetune_id}
        with translated():
            for query in ({f"metadata[{JOB_METADATA_KEY}]": finetune_id}, {}):
                try:
                    async for job in _listed(client, query):
                        if wanted.items() <= (job.metadata or {}).items():
                            return job.thing()
                except APIStatusError as error:
                    if not query or error.status_code not in {400, 422}:
                        raise
        return None

    async def job(self, student: ModelName, job_id: str) -> Job:
        """As it stands, with its newest event where the provider tells of events."""
        jobs = self._providers[student.provider].fine_tuning.jobs
        with translated():
            job = await read(jobs.with_raw_response.retrieve(job_id), _Job)
        try:
            events = await read(jobs.with_raw_response.list_events(job_id, limit=10), _Events)
        except (OpenAIError, ValidationError):
            return job.thing()
        newest = max(events.data, key=lambda event: event.created_at, default=None)
        return job.thing(progress=newest.message if newest else None)

    async def cancel(self, student: ModelName, job_id: str) -> Job:
        """Ask for the end; the job's status tells whether it came."""
        jobs = self._providers[student.provider].fine_tuning.jobs
        with translated():
            return (await read(jobs.with_raw_response.cancel(job_id), _Job)).thing()


def _suffix(suffix: str, *, azure: bool) -> str:
    """OpenAI takes 64 characters, Azure 18 and no full stop."""
    return suffix.replace(".", "-")[:18] if azure else suffix[:64]


def not_created(error: Exception) -> ModelRefused:
    """What a failed creation means."""
    if isinstance(error, APIStatusError):
        message = told(error)
        definite = 400 <= error.status_code < 500 and error.status_code not in {408, 409}
    else:
        message = "the provider did not answer with a job"
        never_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
        definite = isinstance(error, APIConnectionError) and isinstance(error.__cause__, never_sent)
        if definite:
            message = "the provider could not be reached"
    return ModelRefused(message) if definite else OutcomeUnknown(message)


async def _listed(client: AsyncOpenAI, query: Mapping[str, str]) -> AsyncIterator[_Job]:
    """All jobs, page by page; a server that ignores paging sends the same page again, which ends it."""
    seen: set[str] = set()
    after: dict[str, str] = {}
    for _ in range(JOB_LIST_PAGES):
        call = client.fine_tuning.jobs.with_raw_response.list(limit=100, extra_query={**query, **after})
        page = await read(call, _Jobs)
        new = [job for job in page.data if job.id not in seen]
        for job in new:
            yield job
        if not new or page.has_more is False:
            return
        seen.update(job.id for job in new)
        after = {"after": page.data[-1].id}
