"""The fallback release, which answers while the serving release's provider is down."""

from collections.abc import Sequence

from bot.domain.release import DEFAULT_RECALL, EMBEDDED, ModelName, Release
from bot.domain.thing import Thing

FALLBACK_RECALL = DEFAULT_RECALL
"""Examples shown to a fallback model, a paid one too: an untrained model answers much better with some."""


WITHOUT_ENCODER = ModelName(provider="local", model="characters")
"""The embedded model without its encoder. It answers if only the encoder fails, even at the same provider."""


class Fallback(Thing):
    """The rule that chooses a fallback release, never at the serving release's own provider.

    Attributes:
        model: The model that answers; None means no fallback.
        finetuned: Prefer the newest fine-tune on the serving prompt at the same provider.
    """

    model: ModelName | None = None
    finetuned: bool = False

    def wanted(self, serving: Release) -> ModelName | None:
        """Return the model that needs a fallback release; None if the serving release can have no fallback."""
        return self.model if self.model and self.model.provider != serving.model.provider else None

    def among(self, releases: Sequence[Release], serving: Release) -> Release | None:
        """Return the fallback release for the serving one, from all releases (newest first)."""
        return self.on_prompt(releases, serving) if self.wanted(serving) else None

    @property
    def free(self) -> "Fallback | None":
        """The rule at the end of the budget: the embedded model answers, unless there is to be no fallback."""
        if self.model is None or self.model.provider == EMBEDDED:
            return self if self.model else None
        return Fallback(model=ModelName(provider=EMBEDDED, model="base"), finetuned=True)

    def on_prompt(self, releases: Sequence[Release], serving: Release) -> Release | None:
        """Return the release of this rule's model on the serving prompt, whatever its provider."""
        model = self.model
        if model is None:
            return None
        usable = [r for r in releases if r.prompt_id == serving.prompt_id and r.model.provider == model.provider]
        tuned = [release for release in usable if self.finetuned and release.finetune_id]
        base = [release for release in usable if (release.model, release.recall) == (model, FALLBACK_RECALL)]
        return next(iter(tuned + base), None)
