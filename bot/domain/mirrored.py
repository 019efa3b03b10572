"""What the mirror must still be told, as it stands in the outbox."""

from enum import StrEnum

TOPIC = "mirror"
"""Of its entries in the outbox. Their key names a thing, so that what concerns one thing is told in order."""


DATASET, FILLED, TROUBLE, UNTAKEN = "mirror:dataset", "mirror:filled", "mirror:trouble", "mirror:untaken"
"""Cursors: the dataset that is kept; how far it was filled; why nothing gets through; what was not taken over."""


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
