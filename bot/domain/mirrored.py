"""What the mirror must still be told, as it stands in the outbox, and how it stands with the mirror."""

from datetime import timedelta
from enum import StrEnum

from bot.domain.thing import Thing

MIRROR_TOPIC = "mirror"
"""Of its entries in the outbox. Their key names a thing, so that what concerns one thing is told in order."""


MIRROR_DATASET = "mirror:dataset"
"""Cursor: the id of the dataset that is kept."""
MIRROR_FILLED = "mirror:filled"
"""Cursor: how far the dataset was filled."""
MIRROR_TROUBLE = "mirror:trouble"
"""Cursor: why nothing gets through; empty while all is well."""
MIRROR_UNTAKEN = "mirror:untaken"
"""Cursor: how many changes by people could not be taken over."""
MIRROR_FILLED_END = "*"
"""Where a row's id stands in FILLED once all rows are there."""


class MirrorChange(StrEnum):
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


MIRROR_BARRIERS = frozenset({MirrorChange.VERSION, MirrorChange.EXPERIMENT})
"""What is about all that was noted before: it is told when that was."""

MIRROR_DOWN = "down"
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
