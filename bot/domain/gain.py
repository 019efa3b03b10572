"""The order of the review queue: the open question from whose correction the model learns most comes first.

Each question has a reason, and the reasons have ranks:

0. the asker was not helped: a person waits;
1. two releases disagree, so one of them is certainly wrong (query by committee, Seung et al., 1992);
2. the answer is unsure: below `UNSURE_BELOW` answers are wrong most often (uncertainty sampling, Lewis & Gale, 1994).
   Or the question is new: no settled question is like it;
3. the question is near a conflict: the model cannot know what staff themselves settle differently;
4. the category is rare: fewer than `RARE_BELOW` training rows;
5. anything else, in an order that depends on no property of the question, so that confident mistakes are found too.

Within a rank, the question comes first that tells most about all open questions. This is the sum of their doubts. Each
doubt is weighted by how much more the open question is like this one than like anything settled or listed before. A
question that represents many others therefore comes early, and similar ones come late. This is the greedy choice for a
weighted coverage (facility location), at least 1 - 1/e as good as the best choice (Nemhauser et al., 1978).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bot.domain.thing import Thing

UNSURE_BELOW = 0.7
"""Confidence below which an answer counts as unsure."""
NEW_BELOW = 0.3
"""Measured: likeness to every settled question below which a question counts as new."""
RARE_BELOW = 10
"""Number of training rows below which a category counts as rare."""
UNKNOWN_CONFIDENCE = 0.5
"""Confidence that is assumed if the model gives none: unsure, but after answers that are known to be worse."""


class QueueReason(StrEnum):
    """The reason for a question to be in the queue. Each reason has a text under `review.why.<value>`.

    Add a reason at the end: lists in Slack name reasons by their position.
    """

    CONFLICT = "conflict"
    DISAGREE = "disagree"
    UNSURE = "unsure"
    NEAR_CONFLICT = "near_conflict"
    RARE = "rare"
    RANDOM = "random"
    NEW = "new"
    ASKER = "asker"


RANKS = {
    QueueReason.ASKER: 0,
    QueueReason.CONFLICT: 0,
    QueueReason.DISAGREE: 1,
    QueueReason.UNSURE: 2,
    QueueReason.NEW: 2,
    QueueReason.NEAR_CONFLICT: 3,
    QueueReason.RARE: 4,
    QueueReason.RANDOM: 5,
}
"""The rank of each reason, the lowest first."""


@dataclass(frozen=True, slots=True)
class Likenesses:
    """How like open questions are to what is settled and to each other, 0..1.

    Attributes:
        settled: For each question, the likeness to the settled one that is most like it.
        between: For each question (row), the likeness to each of them (column); 1 to itself.
    """

    settled: NDArray[np.float64]
    between: NDArray[np.float64]


class Candidate(Thing):
    """An answered question that nobody has settled, with all that its place in the queue depends on.

    Attributes:
        category: The serving release's answer.
        confidence: Confidence of that answer, 0..1; None if the model gives none.
        shadow: The shadow release's answer, if there is one.
        near_conflict: Whether a near-duplicate was settled with different categories.
        known: Likeness to the settled question that is most like it, 0..1.
        waits: Whether its asker said that the answer did not help.
    """

    question_id: str
    category: str
    confidence: float | None
    shadow: str | None = None
    near_conflict: bool = False
    known: float
    waits: bool = False

    @property
    def doubt(self) -> float:
        return 1 - (UNKNOWN_CONFIDENCE if self.confidence is None else self.confidence)


def reason_for(candidate: Candidate, rows: dict[str, int]) -> QueueReason:
    """Return the first reason that applies; `rows` is the number of training rows by category."""
    if candidate.waits:
        return QueueReason.ASKER
    if candidate.shadow is not None and candidate.shadow != candidate.category:
        return QueueReason.DISAGREE
    if candidate.confidence is not None and candidate.confidence < UNSURE_BELOW:
        return QueueReason.UNSURE
    if candidate.near_conflict:
        return QueueReason.NEAR_CONFLICT
    if candidate.known < NEW_BELOW:
        return QueueReason.NEW
    return QueueReason.RARE if rows.get(candidate.category, 0) < RARE_BELOW else QueueReason.RANDOM


def ordered(
    candidates: Sequence[Candidate], rows: dict[str, int], likeness: NDArray[np.float64] | None = None
) -> list[tuple[Candidate, QueueReason]]:
    """Return all candidates with their reasons, the one to settle first at the front.

    The same candidates always come in the same order.

    Args:
        candidates: The open questions.
        rows: Number of training rows by category.
        likeness: Likeness of each candidate to each, 0..1 and 1 to itself; without it, no two are alike.
    """
    if not candidates:
        return []
    places = sorted(range(len(candidates)), key=lambda at: _hash(candidates[at].question_id))
    found = [(candidates[at], reason_for(candidates[at], rows)) for at in places]
    alike = np.eye(len(found)) if likeness is None else likeness[np.ix_(places, places)]
    sampled = [at for at, (_, reason) in enumerate(found) if reason is QueueReason.RANDOM]
    return [found[at] for at in (*_by_gain(found, alike), *sampled)]


def _by_gain(found: Sequence[tuple[Candidate, QueueReason]], alike: NDArray[np.float64]) -> Iterator[int]:
    """Yield the places of all but the sampled candidates, by rank and then by what they tell of all others."""
    doubts = np.array([candidate.doubt for candidate, _ in found])
    # How like each question is to what is settled, or listed above and so settled before the next one.
    told = np.array([candidate.known for candidate, _ in found])
    for rank in sorted({RANKS[reason] for _, reason in found} - {RANKS[QueueReason.RANDOM]}):
        members = [at for at, (_, reason) in enumerate(found) if RANKS[reason] == rank]
        while members:
            gains = np.maximum(alike[:, members] - told[:, None], 0).T @ doubts
            chosen = members.pop(int(gains.argmax()))
            told = np.maximum(told, alike[:, chosen])
            yield chosen


def _hash(question_id: str) -> str:
    return hashlib.sha256(question_id.encode()).hexdigest()
