"""Releases: model + prompt + recall, one unit with one id."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from bot.domain.thing import Thing

MOST_RECALL = 20
"""Examples that a release may ask for: past that, a fine-tune is cheaper than the tokens."""


class ModelName(Thing):
    """`provider/model`. The model's own name may hold slashes."""

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError on anything that is not `provider/model`."""
        provider, slash, model = text.strip().partition("/")
        if not (provider and slash and model):
            raise ValueError(f"'{text}' is not a model name; write provider/model, for example local/base")
        return cls(provider=provider, model=model)

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ReleaseState(StrEnum):
    """A release serves, has served, or might. Never more than one serves."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    SERVING = "serving"
    RETIRED = "retired"


class Release(Thing):
    """What answers. `id` is short, for people type it."""

    id: str
    model: ModelName
    prompt_id: str
    recall: int = 0
    state: ReleaseState
    finetune_id: str | None = None
    created_at: datetime
    unsure_below: float | None = None
    """Below this confidence the bot says that it is unsure and asks staff; None: it always answers."""

    def is_unsure(self, confidence: float | None) -> bool:
        """Never where the model does not tell how sure it is."""
        return self.unsure_below is not None and confidence is not None and confidence < self.unsure_below


class ReleaseEvent(Thing):
    """One entry of the append-only history: this release entered this state then, by whom and why."""

    release_id: str
    state: ReleaseState
    by: str
    why: str
    at: datetime
    note: str | None = None
    """The sentence of an admin who overrode the gate."""
