"""The one visible answer to a question, as things: what the views need and nothing more."""

from bot.domain.correction import Correction
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Question, Verdict
from bot.domain.thing import Thing


class Card(Thing):
    """A question, its verdict and what was settled. `seen` is the `seq` of its newest correction (0 = none)."""

    question: Question
    verdict: Verdict
    prompt: Prompt
    settled: Correction | None
    seen: int
    unsure: bool = False
    """The verdict is only a guess: staff are asked, and nobody is told that it is theirs."""

    @property
    def category(self) -> Category | None:
        """What holds now: the settled category, else the verdict's."""
        return self.prompt.category(self.settled.category if self.settled else self.verdict.category)

    @property
    def guessed(self) -> bool:
        """Whether nothing holds yet but a guess: then no owner is told and nobody is sent anywhere."""
        return self.unsure and self.settled is None

    @property
    def owner(self) -> str | None:
        """Whom the card mentions as the owner of what holds."""
        return self.category.owner if self.category and not self.guessed else None
