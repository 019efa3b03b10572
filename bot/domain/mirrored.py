"""What the mirror must still be told, as it stands in the outbox, and how it stands with the mirror."""

from datetime import timedelta
from enum import StrEnum

from bot.domain.thing import Thing

TOPIC = "mirror"
"""Of its entries in the outbox. Their key names a thing, so that what concerns one thing is told in order."""


DATASET, FILLED, TROUBLE, UNTAKEN = "mirror:dataset", "mirror:filled", "mirror:trouble", "mirror:untaken"
"""Cursors: the dataset that is kept; how far it was filled; why nothing gets through; what was not taken over."""
END = "*"
"""Where a row's id stands in FILLED once all rows are there."""


class Change(StrEnum):
    """What happened, in an entry's payload under `change`; what else stands there is named beside each."""

    VERDICT = "verdict"
    """Key: the question's id. `verdict`: its id."""
    SHADOW = "shadow"
    """Key: the question's id. `release`: which."""
    CORRECTION = "correction"
    """Key: the question's id. `seq`: its number."""
    ROW = "row"
    """Key: the row's id. It was put or withdrawn; what holds is read anew."""
    VERSION = "version"
    """Key: the fine-tune's id. It was confirmed, and its rows are frozen."""
    EXPERIMENT = "experiment"
    """Key: the release's id. `at`: when it was evaluated, in ISO 8601."""


BARRIERS = frozenset({Change.VERSION, Change.EXPERIMENT})
"""What is about all that was noted before: it is told when that was."""

DOWN = "down"
"""The trouble of a tracker that does not answer. Any other one is a `TrackerReason`."""


class MirrorState(Thing):
    """How it stands with the mirror. `trouble` has words in each language under `tracker.<trouble>`."""

    open: int
    """Changes that it was not told yet."""
    age: timedelta
    """Of the oldest of them."""
    filled: bool
    """Whether it holds all rows; not so at first, after its dataset was deleted, and under a new prompt."""
    trouble: str | None
    untaken: int
    """What people said over there and was not taken over, ever."""
