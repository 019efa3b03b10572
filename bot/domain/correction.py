"""What staff said of verdicts."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing

ELSEWHERE = "langsmith:"
"""What the id of a person starts with who said it at the tracker; the rest is the tracker's name of them."""


class CorrectionKind(StrEnum):
    """What a member of staff said."""

    AGREE = "agree"
    CHANGE = "change"
    UNDO = "undo"


class Correction(Thing):
    """One thing said of one question. Append-only; `seq` numbers a question's corrections from 1."""

    question_id: str
    seq: int
    kind: CorrectionKind
    verdict_id: str
    category: str
    """The category that is right; on an undo, the one that was taken back."""
    reason: str | None
    """Staff's own words (where several said the same, the last that there are), or None: then the row gets a reason
    that fits (`correcting.row_of`)."""
    by: str
    at: datetime


def settlement(corrections: Sequence[Correction]) -> Correction | None:
    """What holds after these corrections (oldest first): the newest; an undo reopens the question."""
    newest = corrections[-1] if corrections else None
    return None if newest is None or newest.kind is CorrectionKind.UNDO else newest


class Press(Thing):
    """A member of staff's wish, as the server understood it.

    `seen` is the `seq` of the newest correction on the pressed card (0 = none): what changed since is told first.
    `category` None means: the verdict's own.
    """

    question_id: str
    category: str | None
    reason: str | None = None
    seen: int
    by: str
