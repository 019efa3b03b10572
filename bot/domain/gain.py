"""Which open question is worth staff's next press.

A press teaches most where the model is likely to be wrong, so the reasons are gone through in this order, and within
one the least sure answer comes first:

1. two releases disagree: one of them is wrong for certain (query by committee, Seung et al., 1992);
2. the answer is unsure: below `LOW` it is wrong more often than all others (uncertainty sampling, Lewis & Gale, 1994);
3. it is near a conflict: what staff settle differently the model cannot know;
4. its category is rare: fewer than `RARE` rows to train on;
5. anything else, in an order that follows no property of the question, so that sure mistakes are found too.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

from bot.domain.thing import Thing

LOW = 0.7
"""A confidence below which an answer counts as unsure."""
RARE = 10
"""Rows to train on below which a category counts as rare."""
UNKNOWN_CONFIDENCE = 0.5
"""What stands in for a confidence that the model does not tell: unsure, yet after what is known to be worse."""


class QueueReason(StrEnum):
    """Why a question is listed, the best reason first. Each has a text under `review.why.<value>`."""

    CONFLICT = "conflict"
    DISAGREE = "disagree"
    UNSURE = "unsure"
    NEAR_CONFLICT = "near_conflict"
    RARE = "rare"
    RANDOM = "random"


_ORDER = {why: place for place, why in enumerate(QueueReason)}


class Candidate(Thing):
    """An answered question that nobody settled, as far as its gain depends on it.

    Args:
        category: what the serving release said.
        confidence: of that, 0..1; None where the model does not tell.
        shadow: what the shadow release said, where there is one.
        near_conflict: nearly the same question is settled in more than one way.
    """

    question_id: str
    category: str
    confidence: float | None
    shadow: str | None = None
    near_conflict: bool = False

    @property
    def sureness(self) -> float:
        return UNKNOWN_CONFIDENCE if self.confidence is None else self.confidence


def why(candidate: Candidate, rows: dict[str, int]) -> QueueReason:
    """The first reason that holds; `rows` counts each category's rows to train on."""
    if candidate.shadow is not None and candidate.shadow != candidate.category:
        return QueueReason.DISAGREE
    if candidate.confidence is not None and candidate.confidence < LOW:
        return QueueReason.UNSURE
    if candidate.near_conflict:
        return QueueReason.NEAR_CONFLICT
    return QueueReason.RARE if rows.get(candidate.category, 0) < RARE else QueueReason.RANDOM


def ordered(candidates: Iterable[Candidate], rows: dict[str, int]) -> list[tuple[Candidate, QueueReason]]:
    """All of them, the one to settle first at the front. The same candidates always come in the same order."""

    def place(listed: tuple[Candidate, QueueReason]) -> tuple[int, float, str]:
        candidate, reason = listed
        shuffled = hashlib.sha256(candidate.question_id.encode()).hexdigest()
        return _ORDER[reason], 0.0 if reason is QueueReason.RANDOM else candidate.sureness, shuffled

    return sorted(((candidate, why(candidate, rows)) for candidate in candidates), key=place)
