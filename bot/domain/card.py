"""The card: the one visible answer to a question, with exactly the data that the views need."""

from typing import NamedTuple

from bot.domain.correction import Correction
from bot.domain.feedback import AskerFeedback
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import Release
from bot.domain.signal import Signal
from bot.domain.thing import Thing

DOUBTFUL_BELOW = 0.5
"""Confidence below which an answer is more likely wrong than right."""


class CardParts(NamedTuple):
    """The stored facts about a question that has a verdict."""

    verdict: Verdict
    """The newest."""
    release: Release
    """The release that gave the verdict."""
    prompt: Prompt
    """The release's prompt."""
    correction: Correction | None
    """The newest."""
    feedback: AskerFeedback | None
    """The newest."""
    signalled: bool
    """Whether an owner has reacted."""
    paired: bool
    """Whether the question's message has a second question."""


class Card(Thing):
    """A question, its verdict and its settlement. `seen` is the `seq` of the newest correction (0 if there is none)."""

    question: Question
    verdict: Verdict
    prompt: Prompt
    settled: Correction | None
    seen: int
    unsure: bool = False
    """Whether the verdict is only a guess, so that staff are asked and no owner is notified."""
    feedback: AskerFeedback | None = None
    """The asker's latest feedback."""
    signal: Signal | None = None
    """The owner's reaction to show."""
    paired: bool = False
    """Whether the message has a second question, which `second` need not hold."""
    second: "Card | None" = None
    """The second question of the same message, which the same message of the bot answers."""

    @property
    def state(self) -> str:
        """A value that no two updates of the card share; Slack keeps a control's state while its block id stays."""
        said, signal = self.feedback.seq if self.feedback else 0, int(self.signal.at.timestamp()) if self.signal else 0
        return f"{self.seen}.{said}.{signal}"

    @property
    def likely(self) -> tuple[Category, ...]:
        """All categories, the likeliest first: the verdict's, then as the model or the examples tell, then the rest."""
        told = filter(None, map(self.prompt.category, (self.verdict.category, *self.verdict.others)))
        return tuple({category.id: category for category in (*told, *self.prompt.categories)}.values())

    @property
    def category(self) -> Category | None:
        """The current category: the settled one, else the verdict's."""
        return self.prompt.category(self.settled.category if self.settled else self.verdict.category)

    @property
    def guessed(self) -> bool:
        """Whether the category is still a guess. If so, no owner is notified and the asker is sent nowhere."""
        return self.unsure and self.settled is None

    @property
    def doubtful(self) -> bool:
        """Whether the category is only the likeliest one, so that others are offered beside it as equals."""
        confidence = self.verdict.confidence
        return self.settled is None and (self.unsure or (confidence is not None and confidence < DOUBTFUL_BELOW))

    @property
    def parts(self) -> "tuple[Card, ...]":
        """This card, and that of the message's second question."""
        return (self, self.second) if self.second else (self,)

    @property
    def owner(self) -> str | None:
        """The owner of the current category, whom the card mentions; None while it is a guess."""
        return self.category.owner if self.category and not self.guessed else None
