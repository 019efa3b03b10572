"""Token counts and prices."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from bot.domain.budget import Spend
from bot.domain.release import ModelName


class Estimator(Protocol):
    """An offline estimator of tokens and prices."""

    def tokens(self, lines: Iterable[bytes]) -> int:
        """Return the tokens of a training file's lines as a provider bills them for one epoch."""

    def words(self, text: str) -> int:
        """Return the tokens of a text on its own."""

    def price(self, student: ModelName, tokens: int) -> tuple[float | None, str | None]:
        """Return the US dollars for training on this many tokens, and the date of the price; None if unknown."""

    def cost(self, model: ModelName, tokens_in: int, tokens_out: int) -> float | None:
        """Return the US dollars for answers of this many tokens; None if the price is unknown."""

    def ends(self, model: ModelName) -> date | None:
        """Return the day on which the provider shuts the model down; None if no end is known."""


class Budget(Protocol):
    """The month's budget, as far as answers have to know it."""

    async def is_over_for(self, model: ModelName) -> Spend | None:
        """Return the month's spend if the budget is used up and this model would cost more; else None."""
