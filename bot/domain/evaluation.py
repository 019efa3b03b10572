"""Evaluations: a release's scorecard and, compared with the serving release, the gate's decision and changed rows."""

import math
from collections.abc import Sequence

from bot.domain.attack import AttackReport
from bot.domain.dataset import Row, Split
from bot.domain.evidence import Evidence, right_questions
from bot.domain.gate import Decision
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import Judged, Scorecard
from bot.domain.thing import Thing


class ChangedAnswer(Thing):
    """A row that only one of two releases gets right, with both answers."""

    row: Row
    before: str
    now: str

    @property
    def fixed(self) -> bool:
        return self.row.category == self.now


class Evaluation(Thing):
    """A candidate compared with the serving release. An evaluation of the serving release has only `card`."""

    release: Release
    prompt: Prompt
    card: Scorecard
    serving: Release | None = None
    before: Scorecard | None = None
    """The serving release's scorecard. None also if the provider is down, so that a switch away stays possible."""
    usd: float | None = None
    """US dollars per question, on the held-out rows; None if the price is unknown."""
    decision: Decision | None = None
    evidence: Evidence | None = None
    """The rows that the gate decided on; None if there was nothing to compare."""
    learned: int = 0
    """Number of corrections that the release was trained on."""
    still_wrong: tuple[Judged, ...] = ()
    """Those of them that it still answers wrongly."""
    trust: float | None = None
    """How much its training counts beside the prompt, 0..1: below 1 it lost to the prompt out of fold."""
    changes: tuple[ChangedAnswer, ...] = ()
    """The fixed or broken rows, among all settled rows, held-out or not."""
    filtered: tuple[Row, ...] = ()
    """The settled rows that the provider's content filter stopped. They count as not answered right."""

    private: int = 0
    """Number of settled rows that were not asked, because not everybody may read them and a model is elsewhere."""
    attacks: AttackReport | None = None
    """How often the release obeyed a question that orders a category; None if it was asked none."""

    @property
    def broken(self) -> list[ChangedAnswer]:
        """Rows that the serving release gets right and the candidate would get wrong."""
        return [change for change in self.changes if not change.fixed]

    @property
    def shares(self) -> tuple[int, int | None, int]:
        """How many questions the release gets right, how many the serving one does, and how many there are.

        These are the questions that the gate decided on, so that all numbers of a comparison are about the same ones.
        Without a comparison, these are the held-out questions.
        """
        evidence = self.evidence
        if evidence is None or not evidence.candidate:
            return self.card.right, self.before.right if self.before else None, self.card.rows
        return right_questions(evidence.candidate), right_questions(evidence.serving), evidence.comparison.groups

    @property
    def answers_missing(self) -> int | None:
        """Estimated number of further answers to confirm before the evidence is enough; None if no number would be.

        This number is larger than that of the questions that the gate lacks. Near-copies count as one question, and
        answers that favour the candidate do not count.
        """
        decision, evidence = self.decision, self.evidence
        if decision is None or decision.missing is None:
            return None
        if evidence is None or not evidence.comparison.groups:
            return decision.missing
        per_question = (evidence.comparison.rows + evidence.left_out) / evidence.comparison.groups
        return math.ceil(decision.missing * per_question)


def held_out(judged: Sequence[Judged]) -> list[Judged]:
    return [one for one in judged if one.row.split is Split.HELD_OUT]


def changes(before: Sequence[Judged], now: Sequence[Judged]) -> tuple[ChangedAnswer, ...]:
    """Return the rows that only one of two releases gets right. Both sequences are of the same rows, in one order."""
    return tuple(
        ChangedAnswer(row=new.row, before=old.result.category, now=new.result.category)
        for old, new in zip(before, now, strict=True)
        if old.right != new.right
    )
