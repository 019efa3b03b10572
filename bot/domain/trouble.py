"""Reports of a provider's trouble, for the people who run the bot."""

from typing import Self

from bot.domain.audience import Audience
from bot.domain.errors import Trouble
from bot.domain.question import Question, Via
from bot.domain.release import ModelName
from bot.domain.thing import Thing

CUT_PROMPT = "prompt_cut:"
"""Cursors whose name is this and a model: `billed/counted` tokens while its provider cuts the prompt, else empty."""


class TroubleReport(Thing):
    """A trouble of a model's provider, and what came of it.

    Attributes:
        model: The full name of the model that has the trouble.
        trouble: The cause.
        fallback: The full name of the model that answered instead; None if none did.
        others: Whether there are releases of other models that could be switched to.
        channel: The channel of the question that the trouble is about; None if nobody else may see where it is.
        ts: The ts of that question.
        counted: Tokens of the request by our own count; 0 if the trouble is not about them.
        billed: Tokens of the request that the provider billed.
        encoder: The encoder that the model was trained with, if it is not the configured one.
    """

    model: str
    trouble: Trouble
    fallback: str | None = None
    others: bool = False
    channel: str | None = None
    ts: str | None = None
    counted: int = 0
    billed: int = 0
    encoder: str | None = None

    @property
    def asked(self) -> ModelName:
        """The model that has the trouble."""
        return ModelName.parse(self.model)

    def about(self, question: Question) -> Self:
        """Return this report with the place of the question that it is about, unless that is a direct message."""
        if question.audience is Audience.DIRECT or question.via is Via.DM:
            return self
        return self.model_copy(update={"channel": question.place.channel, "ts": question.place.ts})

    def payload(self) -> dict[str, str]:
        """Return the report as an outbox payload; `kept` loads it."""
        return {name: str(value) for name, value in self.model_dump(exclude_defaults=True).items()}
