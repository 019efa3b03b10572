"""The order of the review queue: the open question from whose correction the model learns most comes first.

A correction teaches most where the model is likely to be wrong. The queue is ordered by these reasons, and within a
reason by confidence, lowest first:

1. two releases disagree, so one of them is certainly wrong (query by committee, Seung et al., 1992);
2. the answer is unsure: below `UNSURE_BELOW` answers are wrong most often (uncertainty sampling, Lewis & Gale, 1994);
3. the question is near a conflict: the model cannot know what staff themselves settle differently;
4. the category is rare: fewer than `RARE_BELOW` training rows;
5. anything else, in an order that depends on no property of the question, so that confident mistakes are found too.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

from bot.domain.thing import Thing

UNSURE_BELOW = 0.7
"""Confidence below which an answer counts as unsure."""
RARE_BELOW = 10
"""Number of training rows below which a category counts as rare."""
UNKNOWN_CONFIDENCE = 0.5
"""Confidence that is assumed if the model gives none: unsure, but after answers that are known to be worse."""


class QueueReason(StrEnum):
    """The reason for a question to be in the queue, best first. Each reason has a text under `review.why.<value>`."""

    CONFLICT = "conflict"
    DISAGREE = "disagree"
    UNSURE = "unsure"
    NEAR_CONFLICT = "near_conflict"
    RARE = "rare"
    RANDOM = "random"


_RANK = {reason: rank for rank, reason in enumerate(QueueReason)}


class Candidate(Thing):
    """An answered question that nobody has settled, with all that its place in the queue depends on.

    Attributes:
        category: the serving release's answer.
        confidence: confidence of that answer, 0..1; None if the model gives none.
        shadow: the shadow release's answer, if there is one.
        near_conflict: whether a near-duplicate was settled with different categories.
    """

    question_id: str
    category: str
    confidence: float | None
    shadow: str | None = None
    near_conflict: bool = False

    @property
    def sureness(self) -> float:
        return UNKNOWN_CONFIDENCE if self.confidence is None else self.confidence


def reason_for(candidate: Candidate, rows: dict[str, int]) -> QueueReason:
    """Return the first reason that applies; `rows` is the number of training rows by category."""
    if candidate.shadow is not None and candidate.shadow != candidate.category:
        return QueueReason.DISAGREE
    if candidate.confidence is not None and candidate.confidence < UNSURE_BELOW:
        return QueueReason.UNSURE
    if candidate.near_conflict:
        return QueueReason.NEAR_CONFLICT
    return QueueReason.RARE if rows.get(candidate.category, 0) < RARE_BELOW else QueueReason.RANDOM


def ordered(candidates: Iterable[Candidate], rows: dict[str, int]) -> list[tuple[Candidate, QueueReason]]:
    """Return all candidates with their reasons, the one to settle first at the front.

    The same candidates always come in the same order.
    """

    def sort_key(entry: tuple[Candidate, QueueReason]) -> tuple[int, float, str]:
        candidate, reason = entry
        tie_breaker = hashlib.sha256(candidate.question_id.encode()).hexdigest()
        return _RANK[reason], 0.0 if reason is QueueReason.RANDOM else candidate.sureness, tie_breaker

    return sorted(((candidate, reason_for(candidate, rows)) for candidate in candidates), key=sort_key)
