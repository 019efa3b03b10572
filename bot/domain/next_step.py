"""The next best step for an admin."""

from enum import StrEnum

from bot.domain.thing import Thing


class Step(StrEnum):
    """The next best step. Each has a text in each language under `home.step.<value>`."""

    SWITCH = "switch"
    COMPARE = "compare"
    """An admin trained a version by hand, and nobody has compared it yet."""
    TRAINING = "training"
    TRAIN = "train"
    TRAIN_PAID = "train_paid"
    CONFIRM = "confirm"


class NextStep(Thing):
    """A step with the facts that its text names."""

    step: Step
    confirm: int
    """Number of answers to confirm before the next training."""
    name: str = ""
    """The name of the version to switch to or to compare; empty for other steps."""
    fixed: int = 0
    broken: int = 0
