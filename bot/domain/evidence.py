"""The evidence of a comparison: rows that neither release has learned, in a mix that favours no candidate.

Staff press mostly where the serving release was wrong. A row whose correction changed the serving release's own answer
can only speak for a candidate. Beside them stand confirmed rows, which can only speak against it. The two kinds must
stand in the proportion in which the serving release is wrong and right; otherwise an equally good candidate would look
better. Staff confirm some share of the answers that they do not change, so the same share of the changed ones counts.
All answers that nobody pressed on are taken as right, which keeps that share small.

Staff may confirm easy answers more readily than hard ones. Then many confirmed rows say nothing, because both releases
answer them right. So the share is taken apart for each band of the serving answers' confidence.
"""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field

from bot.domain.comparison import Comparison
from bot.domain.dataset import Row
from bot.domain.scorecard import Judged
from bot.domain.thing import Thing

MOST_BANDS = 5
"""Most bands of confidence in which the presses are counted apart."""
BAND_ANSWERS = 40
"""Fewest answers of a band: in smaller ones, rounding would leave out too many rows."""
_NO_CONFIDENCE = -1


class EvidenceKind(StrEnum):
    """The reason why neither release has learned a row. Each has a text in each language under `gate.kind.<value>`."""

    HELD_OUT = "held_out"
    NEWER = "newer"
    """No training had the row; usually it was settled after both trainings."""
    OUT_OF_FOLD = "out_of_fold"
    """At least one release answered the row out of fold."""


class SettledAnswer(Thing):
    """A live answer that staff settled."""

    release_id: str | None
    """The release that answered; None if memory did."""
    category: str
    settled: str
    """The category that staff settled."""


class Presses(Thing):
    """Staff's presses on a model's own live answers."""

    answered: int = 0
    """Number of questions that the model answered."""
    changed: frozenset[str] = frozenset()
    """Ids of the questions whose answer staff changed."""
    confirmed: frozenset[str] = frozenset()
    """Ids of the questions whose answer staff confirmed."""
    confidences: dict[str, float] = Field(default_factory=dict)
    """Question id → the model's confidence, where it tells one."""

    @classmethod
    def of(
        cls, settled: Mapping[str, SettledAnswer], releases: Collection[str], answered: Mapping[str, float | None]
    ) -> Self:
        """Return the presses on the answers of these releases.

        Args:
            settled: Question id → live answer.
            releases: Ids of the releases with the model.
            answered: Id of each question that these releases answered → their confidence.
        """
        own = {question: answer for question, answer in settled.items() if answer.release_id in releases}
        changed = frozenset(question for question, answer in own.items() if answer.category != answer.settled)
        told = {question: confidence for question, confidence in answered.items() if confidence is not None}
        return cls(answered=len(answered), changed=changed, confirmed=frozenset(own) - changed, confidences=told)

    def by_confidence(self) -> list["Presses"]:
        """Return the presses on each band of the answers: as many answers in each, from the least sure on.

        Answers without a confidence are a band of their own.
        """
        sure = sorted(self.confidences.values())
        count = min(MOST_BANDS, len(sure) // BAND_ANSWERS)
        cuts = [sure[len(sure) * n // count] for n in range(1, count)]
        bands = {question: bisect_right(cuts, confidence) for question, confidence in self.confidences.items()}
        sizes = Counter({_NO_CONFIDENCE: self.answered - len(bands)}) + Counter(bands.values())

        def within(questions: frozenset[str], band: int) -> frozenset[str]:
            return frozenset(one for one in questions if bands.get(one, _NO_CONFIDENCE) == band)

        return [
            Presses(answered=size, changed=within(self.changed, band), confirmed=within(self.confirmed, band))
            for band, size in sorted(sizes.items())
        ]


NO_PRESSES = Presses()


class Evidence(Thing):
    """The answers of both releases to the rows that count, in one order."""

    candidate: tuple[Judged, ...] = ()
    serving: tuple[Judged, ...] = ()
    comparison: Comparison
    generous: Comparison
    """The same on a mix that favours the candidate (`generous_mix`)."""
    kinds: dict[EvidenceKind, int]
    """Number of rows of each kind."""
    left_out: int = 0
    """Number of rows that do not count because they favour the candidate."""


def right_questions(answers: Sequence[Judged]) -> int:
    """Return how many questions are answered right. Near-copies are one question, as in a comparison."""
    right: dict[str, bool] = {}
    for one in answers:
        right[one.row.group] = right.get(one.row.group, True) and one.right
    return sum(right.values())


def balanced(rows: Sequence[Row], serving: Presses, candidate: Presses = NO_PRESSES) -> list[Row]:
    """Return the rows that count, in the same order.

    Rows that changed the serving release's own answer count in the proportion that the module's docstring explains, and
    are at most half of the result. A hash decides which of them count, so that the choice is the same each time.
    Rows that confirmed the candidate's own live answers do not count: nothing stands against them.

    Args:
        rows: Rows that neither release has learned.
        serving: The presses on the serving release's answers.
        candidate: The presses on the candidate's answers, if another model gave them; it may have served before.
    """
    changed = [row for row in rows if row.id in serving.changed]
    others = [row for row in rows if row.id not in serving.changed and row.id not in candidate.confirmed]
    chosen: list[Row] = []
    for band in serving.by_confidence():
        unchanged = band.answered - len(band.changed)
        confirmed = sum(row.id in band.confirmed for row in others)
        room = confirmed * len(band.changed) // unchanged if unchanged > 0 else 0
        chosen += sorted((row for row in changed if row.id in band.changed), key=_hash)[:room]
    counted = {row.id for row in [*sorted(chosen, key=_hash)[: len(others)], *others]}
    return [row for row in rows if row.id in counted]


def generous_mix(rows: Sequence[Row], serving: Presses) -> list[Row]:
    """Return the rows in a mix that favours the candidate: who is worse on them too is worse.

    All rows that changed the serving release's own answer are among them. Of the confirmed rows, a share counts: that
    of the changed answers among all that staff did not confirm. So every answer without a press is taken as wrong.
    """
    left_out: set[str] = set()
    for band in serving.by_confidence():
        confirmed = [row for row in rows if row.id in band.confirmed]
        unconfirmed = band.answered - len(band.confirmed)
        room = len(confirmed) * len(band.changed) // unconfirmed if unconfirmed > 0 else len(confirmed)
        left_out |= {row.id for row in sorted(confirmed, key=_hash)[room:]}
    return [row for row in rows if row.id not in left_out]


def _hash(row: Row) -> str:
    return hashlib.sha256(f"evidence:{row.group}:{row.id}".encode()).hexdigest()
