"""Corrections: what staff said about verdicts."""

from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing

TRACKER_PERSON_PREFIX = "langsmith:"
"""Prefix of the id of a person who corrected in the tracker; the rest is the tracker's own id of them."""


class CorrectionKind(StrEnum):
    """The kind of correction."""

    AGREE = "agree"
    CHANGE = "change"
    UNDO = "undo"


class Correction(Thing):
    """One correction of one question. Append-only; `seq` numbers a question's corrections from 1."""

    question_id: str
    seq: int
    kind: CorrectionKind
    verdict_id: str
    category: str
    """The right category; for an undo, the category that was taken back."""
    reason: str | None
    """Staff's own words, kept when the same category is settled again without words. If they are None,
    `correcting.row_of` chooses the row's reason."""
    by: str
    at: datetime


def settlement(newest: Correction | None) -> Correction | None:
    """Return the correction in force, given a question's newest one. An undo reopens the question: None."""
    return None if newest is None or newest.kind is CorrectionKind.UNDO else newest


class Press(Thing):
    """A staff member's press of a button, as the server understood it.

    `seen` is the `seq` of the newest correction on the pressed card (0 if there is none). If a newer correction exists,
    the person sees it first. `category` None means the verdict's own category.
    """

    question_id: str
    category: str | None
    reason: str | None = None
    seen: int
    by: str
