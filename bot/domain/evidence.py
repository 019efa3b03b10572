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
from itertools import accumulate
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
    confidence: float | None
    settled: str
    """The category that staff settled."""


Thousandths = int | None
"""A confidence in thousandths, rounded; None if the model told none."""


class Presses(Thing):
    """Staff's presses on a model's own live answers."""

    answered: dict[Thousandths, int] = Field(default_factory=dict)
    """Number of questions that the model answered, by confidence."""
    changed: dict[str, Thousandths] = Field(default_factory=dict)
    """Id of each question whose answer staff changed → the model's confidence."""
    confirmed: dict[str, Thousandths] = Field(default_factory=dict)
    """Id of each question whose answer staff confirmed → the model's confidence."""

    @classmethod
    def of(
        cls,
        settled: Mapping[str, SettledAnswer],
        releases: Collection[str],
        answered: Mapping[str, Mapping[Thousandths, int]],
    ) -> Self:
        """Return the presses on the answers of these releases.

        Args:
            settled: Question id → live answer.
            releases: Ids of the releases with the model.
            answered: Id of each release → number of questions that it answered, by confidence.
        """
        count = Counter[Thousandths]()
        for release in releases:
            count.update(answered.get(release, {}))
        own = {question: answer for question, answer in settled.items() if answer.release_id in releases}
        told = {question: thousandths(answer.confidence) for question, answer in own.items()}
        changed = {question: told[question] for question, answer in own.items() if answer.category != answer.settled}
        confirmed = {question: told[question] for question in own if question not in changed}
        return cls(answered=count, changed=changed, confirmed=confirmed)

    @property
    def total(self) -> int:
        """Return the number of questions that the model answered."""
        return sum(self.answered.values())

    def by_confidence(self) -> list["Presses"]:
        """Return the presses on each band of the answers: about as many answers in each, from the least sure on.

        Answers without a confidence are a band of their own.
        """
        sure = sorted((told, n) for told, n in self.answered.items() if told is not None)
        ends = list(accumulate(n for _, n in sure))
        total = ends[-1] if ends else 0
        count = min(MOST_BANDS, total // BAND_ANSWERS)
        cuts = [sure[bisect_right(ends, total * n // count)][0] for n in range(1, count)]

        def band(told: Thousandths) -> int:
            return _NO_CONFIDENCE if told is None else bisect_right(cuts, told)

        return [
            Presses(
                answered={told: n for told, n in self.answered.items() if band(told) == number},
                changed={question: told for question, told in self.changed.items() if band(told) == number},
                confirmed={question: told for question, told in self.confirmed.items() if band(told) == number},
            )
            for number in sorted({band(told) for told in self.answered})
        ]


def thousandths(confidence: float | None) -> Thousandths:
    """Return a confidence of 0..1 in thousandths."""
    return None if confidence is None else round(confidence * 1000)


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
        unchanged = band.total - len(band.changed)
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
        unconfirmed = band.total - len(band.confirmed)
        room = len(confirmed) * len(band.changed) // unconfirmed if unconfirmed > 0 else len(confirmed)
        left_out |= {row.id for row in sorted(confirmed, key=_hash)[room:]}
    return [row for row in rows if row.id not in left_out]


def _hash(row: Row) -> str:
    return hashlib.sha256(f"evidence:{row.group}:{row.id}".encode()).hexdigest()
