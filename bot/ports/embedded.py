"""The embedded model's facts about itself, before it is asked a question."""

from collections.abc import Sequence
from typing import Protocol

from bot.domain.release import ModelName


class Embedded(Protocol):
    """The embedded model. Other models are not its own, so it knows nothing of them."""

    def revision(self, model: ModelName) -> str | None:
        """Return what changes when the same model may answer otherwise than before; None for other providers' models.

        It is made of the learner's revision and the encoder's name. Results and thresholds of another revision say
        nothing about this one.
        """

    def reads_here(self, model: ModelName) -> bool:
        """Return whether no text that a model is trained on or asked leaves this process, not for its vector either."""

    async def other_encoder(self, model: ModelName) -> str | None:
        """Return the encoder that a model was trained with if another one is configured, so that it can't answer."""

    async def read_ahead(self, model: ModelName, questions: Sequence[str], examples: Sequence[str]) -> None:
        """Read together what a model is asked and shown soon, which takes longer one by one. It may do nothing."""


class NothingEmbedded:
    """An installation without the embedded model."""

    def revision(self, model: ModelName) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    def reads_here(self, model: ModelName) -> bool:  # noqa: ARG002 - the protocol's
        return False

    async def other_encoder(self, model: ModelName) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    async def read_ahead(self, model: ModelName, questions: Sequence[str], examples: Sequence[str]) -> None:
        pass
