"""The model that classifies questions."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import Field

from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.domain.thing import Thing

LEAST_READ_SHARE = 0.5
"""Share of our own token count below which the provider has cut the prompt."""
LEAST_MISSING_TOKENS = 100
"""Fewest missing tokens that count as cut."""


class Answer(Thing):
    """A model's answer. `category` is always the id of one of the prompt's categories."""

    category: str
    reason: str
    confidence: float | None
    tokens_in: int
    tokens_out: int
    revision: str | None = None
    """Changes when the same question may get another answer; only the embedded model tells it."""
    others: Annotated[tuple[str, ...], Field(exclude=True)] = ()
    """Ids of other categories, the likeliest first, as far as the model tells them."""
    tokens_counted: Annotated[int | None, Field(exclude=True)] = None
    """Tokens of the request by our own count, which is not stored; None if it says nothing about the billed ones."""

    @property
    def prompt_cut(self) -> bool | None:
        """Whether the provider read only a part of the request; None if it cannot be told.

        Tokenizers differ: one made for Japanese needs about two thirds of our tokens.
        """
        if not self.tokens_counted or not self.tokens_in:
            return None
        missing = self.tokens_counted - self.tokens_in
        return missing >= LEAST_MISSING_TOKENS and self.tokens_in < self.tokens_counted * LEAST_READ_SHARE


class Model(Protocol):
    """A classifier of questions."""

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        """Classify a question.

        Args:
            model: The model to ask.
            prompt: The system message, and the categories to choose from.
            text: The question.
            examples: Settled questions that are shown to the model as earlier turns with their answers (recall).
            explain: False if the reason is not used. The embedded model then looks for none. Other models write one
                all the same, because it comes before the category and may change it.

        Raises:
            ModelDown: A later attempt may succeed.
            ModelRefused: A retry will not help.
        """

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """Return a reason for this category (an id), which is the only one the model may answer.

        Raises:
            ModelDown: A later attempt may succeed.
            ModelRefused: A retry will not help.
        """
