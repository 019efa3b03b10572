"""The costs of a month and the rest of its budget."""

from datetime import datetime

from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.thing import Thing


class Asked(Thing):
    """The questions of a month that were answered, by what answered them last."""

    memory: int = 0
    """Answers that repeat what staff settled. They cost nothing."""
    model: int = 0
    usd: float = 0.0
    """Cost in US dollars of all answers to questions; evaluations and shadows are not in it."""


class Spend(Thing):
    """US dollars since the first of the month (UTC), by our own price table; a provider's bill may differ."""

    since: datetime
    finetunes: float
    answers: float
    """Cost of answers: serving, evaluation and shadow, and the vectors of a paid encoder."""
    unpriced: tuple[str, ...]
    """Models that were used but have no known price; no sum includes them."""
    budget: float | None
    """Budget of the month in US dollars; None means no limit."""
    asked: Asked = Asked()

    @property
    def total(self) -> float:
        return self.finetunes + self.answers

    @property
    def left(self) -> float | None:
        """The rest of the budget, never below zero; None without a budget."""
        return None if self.budget is None else max(0.0, self.budget - self.total)


def month_of(now: datetime) -> datetime:
    """Return the start of the current month; `now` is in UTC."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def is_billed(finetune: Finetune) -> bool:
    """Return whether the provider bills the fine-tune.

    OpenAI bills nothing for a job that failed or was never created. A cancelled job is billed for the training done so
    far; if the provider does not report that amount, the estimate is used in its place.
    """
    if finetune.state is FinetuneState.PLANNED:
        return False
    if finetune.state is FinetuneState.FAILED:
        return bool(finetune.trained_tokens)
    return finetune.state is not FinetuneState.CANCELLED or finetune.job_id is not None
