"""An evaluation: a release's figures, and beside the serving release what the gate says and which rows change."""

from collections.abc import Sequence

from bot.domain.dataset import Row, Split
from bot.domain.gate import Decision
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import Judged, Scorecard
from bot.domain.thing import Thing


class ChangedAnswer(Thing):
    """A row that only one of two releases has right, with what each answered."""

    row: Row
    before: str
    now: str

    @property
    def fixed(self) -> bool:
        return self.row.category == self.now


class Evaluation(Thing):
    """A candidate beside the serving release; of the serving release itself there is only the card."""

    release: Release
    prompt: Prompt
    card: Scorecard
    serving: Release | None = None
    before: Scorecard | None = None
    """None also where the serving release could not be asked: that must not keep anybody from leaving it."""
    usd: float | None = None
    """US dollars a question, on the held-out rows; None where no price is known."""
    decision: Decision | None = None
    changes: tuple[ChangedAnswer, ...] = ()
    """Of all settled rows, held-out or not, those that were fixed or broken."""

    @property
    def broken(self) -> list[ChangedAnswer]:
        """Earlier corrections that the candidate would get wrong again."""
        return [change for change in self.changes if not change.fixed]


def held_out(judged: Sequence[Judged]) -> list[Judged]:
    return [one for one in judged if one.row.split is Split.HELD_OUT]


def changes(before: Sequence[Judged], now: Sequence[Judged]) -> tuple[ChangedAnswer, ...]:
    """The rows that only one of two releases has right; both were asked the same rows in the same order."""
    return tuple(
        ChangedAnswer(row=new.row, before=old.result.category, now=new.result.category)
        for old, new in zip(before, now, strict=True)
        if old.right != new.right
    )
