"""Fine-tuning at any provider with OpenAI's files and fine-tuning endpoints."""

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, Self

import httpx2
from pydantic import AfterValidator, ValidationError

from bot.domain.errors import FileNotReady, ModelError, ModelRefused, OutcomeUnknown
from bot.domain.finetune import Job
from bot.domain.fold import LineAnswer, TrainingReport
from bot.domain.release import ModelName
from bot.providers.providers import Providers
from bot.providers.sdk import sdk
from bot.providers.upload import Upload
from bot.providers.wire import ResponseBody, named_parameter, parse_body, read, safe_message, translate_errors

log = logging.getLogger(__name__)

JOB_METADATA_KEY = "madoguchi_finetune"
SEED = 20260401
"""A fixed seed, so that training the same rows again gives the same model, if the provider honours it."""
UPLOAD_S = 600.0
"""Deadline of one upload in seconds: a file may have 512 MB."""
FILE_SECONDS = 30 * 24 * 3600
"""Time after which OpenAI deletes an upload by itself, in seconds: the longest that it takes."""
SUFFIX_CHARS = 64
"""Longest suffix of a model's name at OpenAI.

At Azure there is none: it has to be deployed under its own name, and a deployment's name has 64 characters at most.
"""
JOB_LIST_PAGES = 100
"""Most pages that a search reads, of 100 jobs each."""
OUT_OF_FOLD_FILE = "out_of_fold.jsonl"
"""Name of the result file with a model's answers to its own training rows, out of fold."""
MOST_EVENTS = 100
"""Newest events of a job that are searched for what the provider reports."""
BOM = b"\xef\xbb\xbf"
_UNPROCESSED = frozenset({"uploaded", "pending", "queued", "running", "processing", "validating", "in_progress"})
_UNUSABLE = frozenset({"error", "failed"})
_WITHOUT_FILE_STATE = frozenset({404, 405, 501})
"""Statuses of servers that take files and do not show them again."""
_FILE_STATUSES = frozenset({400, 403, 404, 409, 412, 422, 425})
"""Statuses that may refuse a job because of its file."""
_ABOUT_FILE = re.compile(r"\bfiles?\b|training_file|\bfile-", re.IGNORECASE)
_NOT_READY = re.compile(
    r"\bstill\b|\bbeing (?:process|import|validat|upload)"
    r"|\bnot (?:yet |been |fully |in )*(?:ready|process|import|validat"
    r"|available|[\W]*succeeded)|\b(?:is|status:?) ['\"]?(?:pending|running|processing|uploaded)\b|\bin progress\b",
    re.IGNORECASE,
)
"""The words of a refusal because of a file that the provider has not finished reading."""


class _File(ResponseBody):
    id: str
    status: Annotated[str | None, AfterValidator(lambda status: status and status.lower())] = None
    status_details: str | None = None
    filename: str | None = None

    def usable(self) -> Self:
        """Return this file; raises ModelRefused if the provider cannot use it."""
        if self.status in _UNUSABLE:
            raise ModelRefused(self.status_details or "the provider could not process the training file")
        return self


class _Error(ResponseBody):
    code: str | int | None = None
    message: str | None = None


class _Job(ResponseBody):
    id: str
    status: str = ""
    fine_tuned_model: str | None = None
    error: _Error | str | None = None
    trained_tokens: int | None = None
    metadata: dict[str, object] | None = None
    result_files: list[object] | None = None

    def to_job(self, progress: str | None = None) -> Job:
        """Convert to the domain's `Job`. OpenAI sends `{}` for "no error", so an empty error counts as none."""
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


class _Event(ResponseBody):
    message: str = ""
    created_at: float = 0
    data: dict[str, object] | None = None


class _Events(ResponseBody):
    data: tuple[_Event, ...] = ()


class _Line(ResponseBody):
    """A line of `OUT_OF_FOLD_FILE`. A newer trainer may write more fields."""

    line: int
    fold: int
    category: str
    confidence: float | None = None


class _Jobs(ResponseBody):
    data: list[_Job]
    has_more: bool | None = None


class OpenAITrainer:
    """`ports.Trainer` over `/v1/files` and `/v1/fine_tuning/jobs`.

    Args:
        providers: The SDK clients.
    """

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    async def upload(self, student: ModelName, name: str, lines: Iterable[bytes]) -> str:
        """Upload a training file of these lines and return the provider's file id.

        Azure requires a byte order mark and gets one.

        Raises:
            ModelDown: The upload may be retried; a second copy of the file does no harm.
            ModelRefused: The provider does not accept this file.
        """
        client = self._providers[student.provider]
        mark = BOM if self._providers.kind(student.provider) == "azure" else b""
        file = io.BufferedReader(await asyncio.to_thread(Upload, lines, mark))
        # The file is deleted once the job has ended. If that fails for good, the provider deletes it by itself.
        kept: dict[str, Any] = {}
        if self._providers.kind(student.provider) == "openai":
            kept = {"expires_after": {"anchor": "created_at", "seconds": FILE_SECONDS}}
        with translate_errors():
            call = client.files.with_raw_response.create(
                file=(name, file, "application/jsonl"), purpose="fine-tune", timeout=UPLOAD_S, **kept
            )
            return (await read(call, _File)).usable().id

    async def forget_texts(self, model: ModelName) -> None:
        """Have a trained embedded model forget single texts; raises ModelDown or ModelRefused."""
        with translate_errors():
            try:
                await self._providers[model.provider].delete(f"/models/{model.model}/texts", cast_to=httpx2.Response)
            except sdk.APIStatusError as error:
                if error.status_code != 404:
                    raise

    async def delete_file(self, student: ModelName, file_id: str) -> None:
        """Delete an uploaded file; raises ModelDown, or ModelRefused if the provider keeps it."""
        files = self._providers[student.provider].files
        with translate_errors():
            try:
                await files.with_raw_response.delete(file_id)
                await files.with_raw_response.retrieve(file_id)
            except sdk.APIStatusError as error:
                if error.status_code in {404, 410}:
                    return
                raise
        raise ModelRefused("the provider still has the file")

    async def has_read(self, student: ModelName, file_id: str) -> bool:
        """Return whether the provider has finished reading an uploaded file, or does not show its state.

        Raises:
            ModelDown: The provider could not be asked.
            ModelRefused: The provider cannot use the file.
        """
        files = self._providers[student.provider].files
        with translate_errors():
            try:
                file = await read(files.with_raw_response.retrieve(file_id), _File)
            except sdk.APIStatusError as error:
                if error.status_code in _WITHOUT_FILE_STATE:
                    return True
                raise
        return file.usable().status not in _UNPROCESSED

    async def create(self, student: ModelName, file_id: str, finetune_id: str, suffix: str) -> Job:
        """Start the paid job.

        The request is never sent again once the provider may have accepted it. A 400 or 422 that names an unknown
        parameter proves that there is no job, so the request is repeated without this parameter.

        Raises:
            FileNotReady: There is no job, because the provider has not finished reading the file.
            ModelRefused: There is no job: any 4xx except 408 and 409, or no connection could be made. A rate limit
                (429) refuses the request itself (RFC 6585).
            OutcomeUnknown: There may be a job: no answer, 408, 409, 5xx, or an answer without a job.
        """
        client = self._providers[student.provider].with_options(max_retries=0)
        azure = self._providers.kind(student.provider) == "azure"
        options: dict[str, Any] = {
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}},
            "seed": SEED,
            **({} if azure else {"suffix": suffix[:SUFFIX_CHARS]}),
            # Last, so that it is dropped last: `find` depends on it.
            "metadata": {JOB_METADATA_KEY: finetune_id},
        }
        while True:
            call = client.fine_tuning.jobs.with_raw_response.create(
                model=student.model, training_file=file_id, **options
            )
            try:
                return (await read(call, _Job)).to_job()
            except sdk.APIStatusError as error:
                unknown = named_parameter(error, list(options)) if error.status_code in {400, 422} else None
                if unknown is None:
                    raise await self._creation_refusal(student, file_id, error) from None
                del options[unknown]
            except (sdk.OpenAIError, ValidationError) as error:
                raise creation_error(error) from None

    async def _creation_refusal(self, student: ModelName, file_id: str, error: "sdk.APIStatusError") -> ModelRefused:
        """Return what a failed creation means. An unread file is known by the provider's words, or by its state."""
        message = safe_message(error)
        if error.status_code in _FILE_STATUSES and _ABOUT_FILE.search(message):
            if _NOT_READY.search(message):
                return FileNotReady(message)
            with suppress(ModelError):
                if error.status_code != 409 and not await self.has_read(student, file_id):
                    return FileNotReady(message)
        return creation_error(error)

    async def find(self, student: ModelName, finetune_id: str) -> Job | None:
        """Return the job whose metadata holds this id, or None.

        The provider's filter is only an optimisation. If it finds nothing or is refused, all jobs are searched.

        Raises:
            ModelDown: The jobs could not be listed for now.
            ModelRefused: The provider refused to list the jobs.
        """
        client = self._providers[student.provider]
        wanted = {JOB_METADATA_KEY: finetune_id}
        with translate_errors():
            for query in ({f"metadata[{JOB_METADATA_KEY}]": finetune_id}, {}):
                try:
                    async for job in _list_jobs(client, query):
                        if wanted.items() <= (job.metadata or {}).items():
                            return job.to_job()
                except sdk.APIStatusError as error:
                    if not query or error.status_code not in {400, 422}:
                        raise
        return None

    async def job(self, student: ModelName, job_id: str) -> Job:
        """Return the job with its newest event, if the provider has events; raises ModelDown or ModelRefused."""
        jobs = self._providers[student.provider].fine_tuning.jobs
        with translate_errors():
            job = await read(jobs.with_raw_response.retrieve(job_id), _Job)
        try:
            events = await read(jobs.with_raw_response.list_events(job_id, limit=10), _Events)
        except (sdk.OpenAIError, ValidationError):
            return job.to_job()
        newest = max(events.data, key=lambda event: event.created_at, default=None)
        return job.to_job(progress=newest.message if newest else None)

    async def report(self, student: ModelName, job_id: str) -> TrainingReport:
        """Return the out-of-fold answers of a job and its model's trust, as far as the provider reports them.

        Lines of another shape are left out.

        Raises:
            ModelDown, ModelRefused: the job or its files could not be read.
        """
        client = self._providers[student.provider]
        jobs = client.fine_tuning.jobs
        with translate_errors():
            job = await read(jobs.with_raw_response.retrieve(job_id), _Job)
            file_id = await _result_file(client, job)
            if file_id is None:
                return TrainingReport()
            data = (await client.files.with_raw_response.content(file_id)).content
            events = await read(jobs.with_raw_response.list_events(job_id, limit=MOST_EVENTS), _Events)
        shares = [share for event in events.data if isinstance(share := (event.data or {}).get("trust"), int | float)]
        answers = await asyncio.to_thread(lambda: tuple(_line_answers(data)))
        return TrainingReport(out_of_fold=answers, trust=min(shares, default=1.0))

    async def cancel(self, student: ModelName, job_id: str) -> Job:
        """Request cancellation and return the job's state; raises ModelDown or ModelRefused."""
        jobs = self._providers[student.provider].fine_tuning.jobs
        with translate_errors():
            return (await read(jobs.with_raw_response.cancel(job_id), _Job)).to_job()


def creation_error(error: Exception) -> ModelRefused:
    """Return the error that a failed creation means.

    Returns:
        ModelRefused if certainly nothing was created, else OutcomeUnknown.
    """
    if isinstance(error, sdk.APIStatusError):
        message = safe_message(error)
        definite = 400 <= error.status_code < 500 and error.status_code not in {408, 409}
    else:
        message = "the provider's answer holds no job"
        never_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
        definite = isinstance(error, sdk.APIConnectionError) and isinstance(error.__cause__, never_sent)
        if definite:
            message = "the provider could not be reached"
    return ModelRefused(message) if definite else OutcomeUnknown(message)


async def _result_file(client: "sdk.AsyncOpenAI", job: _Job) -> str | None:
    """Return the id of the job's file of out-of-fold answers, or None if it has none."""
    for file_id in job.result_files or []:
        if isinstance(file_id, str):
            file = await read(client.files.with_raw_response.retrieve(file_id), _File)
            if file.filename == OUT_OF_FOLD_FILE:
                return file_id
    return None


def _line_answers(data: bytes) -> Iterator[LineAnswer]:
    unread = 0
    for line in data.decode("utf-8-sig", "replace").split("\n"):
        if line.strip():
            try:
                yield LineAnswer(**parse_body(line, _Line).model_dump())
            except ValidationError:
                unread += 1
    if unread:
        log.warning("%d lines of the out-of-fold answers are malformed and left out", unread)


async def _list_jobs(client: "sdk.AsyncOpenAI", query: Mapping[str, str]) -> AsyncIterator[_Job]:
    """Yield all jobs, page by page. A repeated page ends the search, because some servers ignore paging."""
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
