"""Who answers while the serving release's provider does not."""

from collections.abc import Sequence

from bot.domain.release import ModelName, Release
from bot.domain.thing import Thing

RECALL = 3
"""Of a fallback release: an untrained model answers much better with examples (docs/loop.md)."""


class Fallback(Thing):
    """The rule by which a fallback release is found. It is never of the serving release's own provider.

    `model`: which one answers; None: none. `finetuned`: where its provider has a fine-tune on the serving prompt, the
    newest of them is taken instead.
    """

    model: ModelName | None = None
    finetuned: bool = False

    def wanted(self, serving: Release) -> ModelName | None:
        """The model that should have a release beside this serving one."""
        return self.model if self.model and self.model.provider != serving.model.provider else None

    def among(self, releases: Sequence[Release], serving: Release) -> Release | None:
        """The fallback release for this serving one, from all releases, newest first."""
        model = self.wanted(serving)
        if model is None:
            return None
        fitting = [r for r in releases if r.prompt_id == serving.prompt_id and r.model.provider == model.provider]
        tuned = [release for release in fitting if self.finetuned and release.finetune_id]
        base = [release for release in fitting if (release.model, release.recall) == (model, RECALL)]
        return next(iter(tuned + base), None)
