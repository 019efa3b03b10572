"""The permission to train a model on the company's questions."""

from datetime import datetime

from bot.domain.release import ModelName
from bot.domain.thing import Thing

PERMISSION_TOPIC = "permission"
"""Outbox topic: admins are asked, once, whether the company allows training. The key is the student."""
PAUSED = "paused"
"""Payload key of such an entry if trainings took place before, which now wait."""


class TrainingPermission(Thing):
    """The permission to train one student, and its grounds. It holds for all models of its provider."""

    student: ModelName
    embedded: bool
    """Whether the student is trained in this process."""
    reads_here: bool
    """Whether no text leaves this process for it, not for its vector either."""
    private: bool
    """Whether its training files may hold what was asked in private channels and direct messages."""
    by_setting: bool
    """Whether the settings say that the company allows all trainings."""
    since: datetime | None = None
    """When an admin allowed it; None if nobody has, or if it was withdrawn."""

    @property
    def allowed(self) -> bool:
        return self.by_setting or self.since is not None
