"""Batches of questions at a provider."""

from collections.abc import Sequence
from typing import Protocol

from bot.domain.batch import BatchJob
from bot.domain.errors import ModelError
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports.model import Answer


class Batcher(Protocol):
    """A provider's batch API: cheaper answers within a day. A batch is created in one request, never retried.

    Raises:
        ModelDown: Any method; a later attempt may succeed. After `submit` there is no batch.
        ModelRefused: Any method; a retry will not help. After `submit` there is no batch.
    """

    async def check(self, model: ModelName) -> None:
        """Check that the model's provider offers batches.

        Raises:
            Refused: NO_BATCHES.
        """

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        """Create a batch and return the provider's id of it.

        Args:
            model: The model to ask.
            prompt: The system message, and the categories to choose from.
            asked: (key, text, examples) of each question.
            run_id: Our id of the batch, stored in its metadata.

        Raises:
            Refused: BATCH_TOO_LARGE.
            OutcomeUnknown: There may be a batch; look for it with `find`.
        """

    async def find(self, model: ModelName, run_id: str) -> str | None:
        """Return the provider's id of the batch whose metadata holds `run_id`."""

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        """Return the batch's current state."""

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        """Return the answer or error of each question, by key; a question without any result is missing."""

    async def delete_files(self, model: ModelName, batch_id: str) -> None:
        """Delete the questions and answers of a batch that ended. Files that are gone are no error."""
