"""The costs of a month and the rest of its budget."""

from datetime import datetime, timedelta

from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.thing import Thing

BUDGET_TOPIC = "budget_end"
"""Outbox topic: the budget of the month is used up, for the admins. The payload is a `BudgetNews`."""


class BudgetNews(Thing):
    """The end of a month's budget.

    Attributes:
        budget: The budget in US dollars.
        until: The day on which the next month begins.
        fallback: The model that answers until then; None if BOT_FALLBACK says that none does.
    """

    budget: float
    until: datetime
    fallback: str | None = None


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


def next_month(now: datetime) -> datetime:
    """Return the start of the next month; `now` is in UTC."""
    return month_of(month_of(now) + timedelta(days=32))


def month_of(now: datetime) -> datetime:
    """Return the start of the current month; `now` is in UTC."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def is_billed(finetune: Finetune) -> bool:
    """Return whether the provider bills the fine-tune.

    OpenAI bills nothing for a job that failed or was never created. A cancelled job is billed for the training done so
    far. If the provider does not report that amount, the estimate is used in its place.
    """
    if finetune.state is FinetuneState.PLANNED:
        return False
    if finetune.state is FinetuneState.FAILED:
        return bool(finetune.trained_tokens)
    return finetune.state is not FinetuneState.CANCELLED or finetune.job_id is not None
