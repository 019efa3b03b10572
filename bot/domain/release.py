"""Releases: a model, a prompt and a recall, as one unit with one id."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from bot.domain.thing import Thing

SYSTEM = "madoguchi"
"""Author of a change that no person made."""
MOST_RECALL = 20
"""Maximum recall of a release: beyond it, a fine-tune is cheaper than the examples' tokens."""


EMBEDDED = "local"
"""Name of the provider of the embedded model, which costs nothing."""
DEFAULT_RECALL = 3
"""Recall of a new release of the embedded model: more than that gained nothing (docs/loop.md)."""


class ModelName(Thing):
    """A model's full name, `provider/model`. The model's own name may contain slashes."""

    provider: str
    model: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `provider/model`.

        Raises:
            ValueError: The text has another form.
        """
        provider, slash, model = text.strip().partition("/")
        if not (provider and slash and model):
            raise ValueError(f"'{text}' is not a model name; write provider/model, for example local/base")
        return cls(provider=provider, model=model)

    @property
    def default_recall(self) -> int:
        """The recall of a new release of this model. A paid model is shown examples only if an admin says so."""
        return DEFAULT_RECALL if self.provider == EMBEDDED else 0

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class ReleaseState(StrEnum):
    """The state of a release. At most one release serves at a time."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    SERVING = "serving"
    RETIRED = "retired"


class Release(Thing):
    """A model with its prompt and its recall. People know it by its `name`; ids are for machines."""

    id: str
    model: ModelName
    prompt_id: str
    recall: int = 0
    """Number of similar settled questions that the model is shown as examples, 0..MOST_RECALL."""
    state: ReleaseState
    finetune_id: str | None = None
    created_at: datetime
    unsure_below: float | None = None
    """Confidence below which the bot says that it is unsure and asks staff; None means that it always answers."""
    unsure_revision: str | None = None
    """The revision of the embedded model under which that was chosen; None for other models."""
    version: int = 0
    """Number of the release, from 1 in the order of creation; 0 before it is stored, when the database gives it."""
    examples: int = 0
    """Number of rows that the model was trained on; 0 if it was not trained here."""

    @property
    def name(self) -> str:
        """The name that people read and type, such as `v4`. It never changes."""
        return f"v{self.version}"

    def is_unsure(self, confidence: float | None, revision: str | None) -> bool:
        """Return whether an answer is unsure; never if the model gives no confidence.

        A threshold that was chosen under another revision than the answer's `revision` is not applied: confidences of
        two revisions cannot be compared.
        """
        threshold = self.under(revision).unsure_below
        return threshold is not None and confidence is not None and confidence < threshold

    def under(self, revision: str | None) -> Self:
        """Return the release as it answers under this revision: without a threshold of another revision."""
        return self if revision == self.unsure_revision else self.model_copy(update={"unsure_below": None})


class ReleaseEvent(Thing):
    """An entry of the append-only history: a release entered a state."""

    release_id: str
    state: ReleaseState
    by: str
    why: str
    at: datetime
    note: str | None = None
    """The sentence with which an admin overrode the gate."""
