"""The card: the one visible answer to a question, with exactly the data that the views need."""

from bot.domain.correction import Correction
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Question, Verdict
from bot.domain.thing import Thing


class Card(Thing):
    """A question, its verdict and its settlement. `seen` is the `seq` of the newest correction (0 if there is none)."""

    question: Question
    verdict: Verdict
    prompt: Prompt
    settled: Correction | None
    seen: int
    unsure: bool = False
    """Whether the verdict is only a guess, so that staff are asked and no owner is notified."""

    @property
    def category(self) -> Category | None:
        """The current category: the settled one, else the verdict's."""
        return self.prompt.category(self.settled.category if self.settled else self.verdict.category)

    @property
    def guessed(self) -> bool:
        """Whether the category is still a guess. If so, no owner is notified and the asker is sent nowhere."""
        return self.unsure and self.settled is None

    @property
    def owner(self) -> str | None:
        """The owner of the current category, whom the card mentions; None while it is a guess."""
        return self.category.owner if self.category and not self.guessed else None
