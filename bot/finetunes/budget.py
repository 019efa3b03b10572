"""The month's spend, and the budget that a fine-tune must stay within."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from bot.domain.budget import Asked, Spend, is_billed, month_of
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import Estimate, Finetune
from bot.domain.release import ModelName
from bot.ports import Clock, Estimator, Store, Transaction

SPEND_KEPT = timedelta(seconds=30)
"""Age up to which the month's spend is not added up anew."""
MOST_FINETUNES = 1_000
"""Upper bound per month; only one fine-tune runs at a time."""


class Spending:
    """The costs of a month, compared with the budget.

    Args:
        estimator: The price table.
        clock: The time.
        budget: US dollars per month; None means no limit.
    """

    def __init__(self, estimator: Estimator, clock: Clock, budget: float | None = None) -> None:
        self._estimator = estimator
        self._clock = clock
        self._budget = budget

    @property
    def is_limited(self) -> bool:
        return self._budget is not None

    def has_cost(self, model: ModelName) -> bool:
        """Return whether answers of a model cost money, as far as its price is known."""
        return bool(self._estimator.cost(model, 1_000_000, 1_000_000))

    async def month(self, tx: Transaction) -> Spend:
        """Return the costs of this month so far. A fine-tune counts in the month in which it was planned."""
        since = month_of(self._clock.now())
        unpriced: set[str] = set()
        finetunes = answers = 0.0
        for finetune in await tx.finetunes.newest(MOST_FINETUNES):
            if finetune.created_at >= since and is_billed(finetune):
                price = self._price(finetune)
                finetunes += price or 0.0
                if price is None:
                    unpriced.add(str(finetune.student))
        for model, usd in self._costs(await tx.questions.tokens(since)).items():
            answers += usd or 0.0
            if usd is None:
                unpriced.add(model)
        embedded = {model: (tokens, 0) for model, tokens in (await tx.vectors.tokens(since)).items()}
        for model, usd in self._costs(embedded).items():
            answers += usd or 0.0
            if usd is None:
                unpriced.add(model)
        memory, by_model = await tx.questions.answers(since)
        live = self._costs(await tx.questions.tokens(since, live=True))
        return Spend(
            since=since,
            finetunes=finetunes,
            answers=answers,
            unpriced=tuple(sorted(unpriced)),
            budget=self._budget,
            asked=Asked(memory=memory, model=by_model, usd=sum(usd or 0.0 for usd in live.values())),
        )

    def ends(self, model: ModelName) -> date | None:
        """Return the day on which a model's provider shuts it down; None if no end is known."""
        return self._estimator.ends(model)

    def _costs(self, tokens: Mapping[str, tuple[int, int]]) -> dict[str, float | None]:
        """Return model → US dollars for its tokens in and out; None if its price is unknown."""
        return {model: self._estimator.cost(ModelName.parse(model), *counts) for model, counts in tokens.items()}

    async def refuse_over(self, tx: Transaction, estimate: Estimate) -> None:
        """Refuse a fine-tune that costs more than what is left of the budget. A fine-tune of unknown price passes.

        Raises:
            Refused: OVER_BUDGET, with the numbers.
        """
        spend = await self.month(tx)
        if spend.left is not None and estimate.usd and estimate.usd > spend.left:
            raise Refused(
                Reason.OVER_BUDGET,
                usd=f"{estimate.usd:.2f}",
                left=f"{spend.left:.2f}",
                spent=f"{spend.total:.2f}",
                budget=f"{self._budget:.2f}",
            )

    def _price(self, finetune: Finetune) -> float | None:
        """Return the price of the trained tokens, or the estimate while their number is unknown."""
        if finetune.trained_tokens is None:
            return finetune.estimate.usd
        return self._estimator.price(finetune.student, finetune.trained_tokens)[0]


class BudgetEnd:
    """The end of the month's budget, after which models that cost money give way to the embedded one.

    The spend is added up anew every `SPEND_KEPT`. It only grows, so a budget that is used up stays so until the month
    ends.
    """

    def __init__(self, store: Store, spending: Spending, clock: Clock) -> None:
        self._store = store
        self._spending = spending
        self._clock = clock
        self._kept: tuple[datetime, Spend] | None = None

    async def is_over_for(self, model: ModelName) -> Spend | None:
        if not self._spending.is_limited or not self._spending.has_cost(model):
            return None
        spend = await self._spend()
        return spend if spend.left == 0 else None

    async def _spend(self) -> Spend:
        now = self._clock.now()
        if self._kept and self._kept[1].since == month_of(now):
            read_at, spend = self._kept
            if spend.left == 0 or now - read_at < SPEND_KEPT:
                return spend
        async with self._store.snapshot() as tx:
            spend = await self._spending.month(tx)
        self._kept = now, spend
        return spend
