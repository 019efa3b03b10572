"""Feedback: what an asker said about an answer. It orders the review queue, and is never a row by itself."""

from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing


class FeedbackKind(StrEnum):
    """A kind of feedback. Each kind has a text in each language under `feedback.kind.<value>`."""

    SOLVED = "solved"
    NOT_HELPFUL = "not_helpful"
    """The asker has not said why."""
    WRONG_TEAM = "wrong_team"
    NEEDS_PERSON = "needs_person"
    OTHER = "other"
    """Something else, in the asker's own `words`."""


class AskerFeedback(Thing):
    """One word of an asker about an answer. Append-only; `seq` numbers a question's feedback from 1."""

    question_id: str
    seq: int
    kind: FeedbackKind
    words: str | None = None
    """The asker's own sentence, masked."""
    by: str
    at: datetime

    @property
    def helped(self) -> bool:
        return self.kind is FeedbackKind.SOLVED
