"""What a month costs, and what is left of its budget."""

from datetime import datetime

from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.thing import Thing


class Spend(Thing):
    """US dollars since the first of the month (UTC), as our own price table tells; a provider's bill may differ."""

    since: datetime
    finetunes: float
    answers: float
    """Of serving, evaluating and shadowing."""
    unpriced: tuple[str, ...]
    """Models that were used and whose price is not known: they are in no sum."""
    budget: float | None
    """None: no limit was set."""

    @property
    def total(self) -> float:
        return self.finetunes + self.answers

    @property
    def left(self) -> float | None:
        """Never below zero; None without a budget."""
        return None if self.budget is None else max(0.0, self.budget - self.total)


def month_of(now: datetime) -> datetime:
    """When the month began that this moment (in UTC) is in."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def is_billed(finetune: Finetune) -> bool:
    """Whether a provider bills for it: a job that failed, or that was never created, costs nothing (OpenAI).

    One that was cancelled is billed for what was trained until then: its estimate stands for that where the provider
    does not tell.
    """
    if finetune.state is FinetuneState.PLANNED:
        return False
    if finetune.state is FinetuneState.FAILED:
        return bool(finetune.trained_tokens)
    return finetune.state is not FinetuneState.CANCELLED or finetune.job_id is not None
