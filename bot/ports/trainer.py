"""Fine-tuning at a provider."""

from collections.abc import Iterable
from typing import Protocol

from bot.domain.finetune import Job
from bot.domain.fold import TrainingReport
from bot.domain.release import ModelName


class Trainer(Protocol):
    """A provider's fine-tuning API. A job is created in exactly one request, which is never retried.

    Raises:
        ModelDown: Any method but `create`; a later attempt may succeed.
        ModelRefused: Any method; a retry will not help.
    """

    async def upload(self, student: ModelName, name: str, lines: Iterable[bytes]) -> str:
        """Upload a training file of these lines, and return the provider's file id. It may be uploaded again."""

    async def has_read(self, student: ModelName, file_id: str) -> bool:
        """Return whether the provider has finished reading an uploaded file.

        Raises:
            ModelRefused: Also where the provider cannot use the file.
        """

    async def create(self, student: ModelName, file_id: str, finetune_id: str, suffix: str) -> Job:
        """Start the paid job, with `finetune_id` in its metadata, in exactly one request.

        Raises:
            FileNotReady: The provider has not finished reading the file; there is no job.
            ModelRefused: The provider said no; there is no job.
            OutcomeUnknown: There may be a job; look for it with `find`.
        """

    async def find(self, student: ModelName, finetune_id: str) -> Job | None:
        """Return the job whose metadata holds this fine-tune id."""

    async def job(self, student: ModelName, job_id: str) -> Job:
        """Return the job's current state, with its newest event."""

    async def report(self, student: ModelName, job_id: str) -> TrainingReport:
        """Return what the provider reports about a job that succeeded; empty from providers that report nothing."""

    async def cancel(self, student: ModelName, job_id: str) -> Job:
        """Cancel the job and return its new state."""

    async def forget_texts(self, model: ModelName) -> None:
        """Erase what a trained embedded model stores of single texts. A missing model is no error."""

    async def delete_file(self, student: ModelName, file_id: str) -> None:
        """Delete an uploaded file, and see that it is gone. A file that is not there is no error.

        Raises:
            ModelRefused: The provider does not delete it.
        """
