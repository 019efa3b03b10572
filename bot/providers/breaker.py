"""A provider that fails again and again is left alone for a while, and its questions go elsewhere at once."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from bot.domain.errors import ModelDown, ModelError, Trouble
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer, Model

FAILURES = 3
"""In a row. Each stands for all tries of one answer."""
REST_S = 30.0
LONGEST_REST_S = 300.0
"""Whatever a provider wants."""


class Breaker:
    """A circuit breaker: closed, open after failures in a row, and half open for one trial after each rest.

    Args:
        failures: so many in a row open it.
        rest_s: seconds between two trials.
        now: a clock in seconds that never goes back.
    """

    def __init__(
        self, *, failures: int = FAILURES, rest_s: float = REST_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = failures
        self._rest_s = rest_s
        self._now = now
        self._failures = 0
        self._trial_at = 0.0
        self.trouble = Trouble.DOWN
        """Of the newest failure."""

    @property
    def open(self) -> bool:
        return self._failures >= self._most

    def admits(self) -> bool:
        """Whether a question may be asked now. One that is asked of an open breaker is its trial."""
        if not self.open:
            return True
        if self._now() < self._trial_at:
            return False
        # Also where the trial never ends: then the next one may come after another rest.
        self._trial_at = self._now() + self._rest_s
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, trouble: Trouble, wait_s: float | None = None) -> None:
        """Count a failure. What only people end, or a provider that says when to come back, needs no second one."""
        self.trouble = trouble
        at_once = trouble.lasting or (wait_s or 0.0) >= self._rest_s
        self._failures = max(self._failures + 1, self._most if at_once else 0)
        if self.open:
            self._trial_at = self._now() + max(self._rest_s, min(wait_s or 0.0, LONGEST_REST_S))


class BreakerModel:
    """`ports.Model` behind a breaker for each provider, in this process's memory: each replica learns by itself."""

    def __init__(self, model: Model, breaker: Callable[[], Breaker] = Breaker) -> None:
        self._model = model
        self._breakers: dict[str, Breaker] = defaultdict(breaker)

    def circuits(self) -> dict[str, bool]:
        """Of each provider that was asked, whether it is left alone."""
        return {provider: breaker.open for provider, breaker in self._breakers.items()}

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        """Raises as the guarded model does, and ModelDown where the provider is left alone."""
        breaker = self._breakers[model.provider]
        if not breaker.admits():
            raise ModelDown(f"the provider '{model.provider}' is left alone for a while", breaker.trouble)
        try:
            answer = await self._model.classify(model, prompt, text, examples)
        except ModelError as error:
            if error.trouble.of_this_question:
                breaker.succeeded()
            else:
                breaker.failed(error.trouble, error.wait_s)
            raise
        breaker.succeeded()
        return answer

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """As the guarded model does: somebody waits for it and may write one."""
        return await self._model.reason(model, prompt, text, category)
