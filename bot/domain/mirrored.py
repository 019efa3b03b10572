"""The mirror's entries in the outbox, its cursors, and its status."""

from datetime import timedelta
from enum import StrEnum

from bot.domain.thing import Thing

MIRROR_TOPIC = "mirror"
"""Topic of the mirror's outbox entries. Entries about the same object share a key, so they are sent in order."""

MIRROR_DATASET = "mirror:dataset"
"""Cursor: id of the dataset that we fill."""
MIRROR_FILLED = "mirror:filled"
"""Cursor: how far the dataset has been filled."""
MIRROR_TROUBLE = "mirror:trouble"
"""Cursor: why the tracker does not accept everything; empty while it does."""
MIRROR_UNTAKEN = "mirror:untaken"
"""Cursor: number of people's changes that could not be applied."""
MIRROR_WITHDRAWN = "mirror:withdrawn"
"""Cursor: how far the rows that not everybody may read were withdrawn."""
MIRROR_WITHDRAWN_TRACES = "mirror:withdrawn_traces"
"""Cursor: the same for the traces of questions: the id of the last one."""
MIRROR_FILLED_END = "*"
"""Value in both cursors, in place of a row id, once all rows have been sent."""


class MirrorChange(StrEnum):
    """The kind of change, stored in an entry's payload under `change`. Each kind lists its key and further fields."""

    VERDICT = "verdict"
    """Key: the question's id. `verdict`: the verdict's id."""
    SHADOW = "shadow"
    """Key: the question's id. `release`: the shadow release's id."""
    CORRECTION = "correction"
    """Key: the question's id. `seq`: the correction's number."""
    ROW = "row"
    """Key: the row's id. The row was put or withdrawn; its current state is read when the change is sent."""
    VERSION = "version"
    """Key: the fine-tune's id. The fine-tune was confirmed, and its rows are frozen."""
    EXPERIMENT = "experiment"
    """Key: the release's id. `at`: time of the evaluation, in ISO 8601."""


MIRROR_BARRIERS = frozenset({MirrorChange.VERSION, MirrorChange.EXPERIMENT})
"""Changes that refer to everything before them, so they wait until all of that has been sent."""

MIRROR_DOWN = "down"
"""The trouble of a tracker that does not answer."""
MIRROR_TRACES_DOWN = "trace_quota"
"""The trouble of a tracker that accepts no more traces for now. Any other trouble is a `TrackerReason`."""


class MirrorState(Thing):
    """The status of the mirror. `trouble` has a text in each language under `tracker.<trouble>`."""

    open: int
    """Number of changes not sent yet."""
    age: timedelta
    """Age of the oldest change not sent yet."""
    filled: bool
    """Whether the mirror holds all rows; false at first, after its dataset was deleted, and under a new prompt."""
    trouble: str | None
    untaken: int
    """Total number of people's changes in the tracker that could not be applied."""
    private: int = 0
    """Number of rows that the mirror does not get, because not everybody may read them."""
