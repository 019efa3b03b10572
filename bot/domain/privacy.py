"""The facts of the privacy notice for askers, from the settings."""

from collections.abc import Iterable

from bot.domain.release import EMBEDDED, ModelName
from bot.domain.thing import Thing

PRIVACY_TOPIC = "privacy"
"""Outbox topic: an asker is told in private, once, what happens with questions. The key is the person's id."""
TOLD = "privacy:"
"""Cursor, by a hash of the person's id: when the notice was queued."""


class Privacy(Thing):
    """Readers of questions besides the people of the channel, and the time of retention."""

    admins: tuple[str, ...] = ()
    """Ids of users and user groups."""
    staff: tuple[str, ...] = ()
    embedded: bool = True
    """Whether the models of the provider `local` answer in this process."""
    fallback: ModelName | None = None
    encoder: ModelName | None = None
    """The embedding service; None if there is none."""
    tracker: bool = False
    """Whether LangSmith gets copies."""
    question_days: int | None = None
    """After how many days questions are forgotten by themselves; None: never."""
    row_days: int | None = None
    """The same for confirmed examples."""
    sentence: str = ""
    """The operator's own sentence, as mrkdwn."""

    def recipients(self, models: Iterable[ModelName]) -> list[str]:
        """Return who gets the text of questions outside of this process, each once.

        Args:
            models: The models that are asked now.
        """
        asked = [*models, *(model for model in (self.fallback, self.encoder) if model)]
        outside = [model.provider for model in asked if model.provider != EMBEDDED or not self.embedded]
        return list(dict.fromkeys([*outside, *(["LangSmith"] if self.tracker else [])]))
