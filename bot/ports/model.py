"""The model that classifies questions."""

from collections.abc import Sequence
from typing import Protocol

from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.domain.thing import Thing


class Answer(Thing):
    """A model's answer. `category` is always the id of one of the prompt's categories."""

    category: str
    reason: str
    confidence: float | None
    tokens_in: int
    tokens_out: int


class Model(Protocol):
    """A classifier of questions."""

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        """Classify a question.

        Args:
            model: the model to ask.
            prompt: the system message, and the categories to choose from.
            text: the question.
            examples: settled questions that are shown to the model as earlier turns with their answers (recall).

        Raises:
            ModelDown: a later attempt may succeed.
            ModelRefused: a retry will not help.
        """

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """Return a reason for this category (an id), which is the only one the model may answer.

        Raises:
            ModelDown: a later attempt may succeed.
            ModelRefused: a retry will not help.
        """
