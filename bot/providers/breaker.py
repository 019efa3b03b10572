"""A circuit breaker per provider: after repeated failures, questions fail over at once instead of waiting."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from bot.domain.errors import ModelDown, ModelError, Trouble
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer, Model

FAILURES = 3
"""Consecutive failures that open the breaker. One failure stands for all retries of one answer."""
REST_S = 30.0
"""Seconds for which an open breaker admits no question."""
LONGEST_REST_S = 300.0
"""Cap on any `Retry-After`, in seconds."""


class Breaker:
    """A circuit breaker that opens after consecutive failures, and then admits one trial after each rest.

    Args:
        failures: Consecutive failures that open it.
        rest_s: Seconds between two trials.
        now: A monotonic clock in seconds.
    """

    def __init__(
        self, *, failures: int = FAILURES, rest_s: float = REST_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = failures
        self._rest_s = rest_s
        self._now = now
        self._failures = 0
        self._trial_at = 0.0
        self.trouble = Trouble.DOWN
        """The kind of the newest failure."""

    @property
    def open(self) -> bool:
        return self._failures >= self._threshold

    def admits(self) -> bool:
        """Return whether a question may be asked now; from an open breaker, that question is the trial."""
        if not self.open:
            return True
        if self._now() < self._trial_at:
            return False
        # Set the next trial now: this one may never report its outcome.
        self._trial_at = self._now() + self._rest_s
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, trouble: Trouble, wait_s: float | None = None) -> None:
        """Count a failure.

        A trouble that only people can end, or a `Retry-After` of at least one rest, opens the breaker at once.

        Args:
            trouble: The kind of failure.
            wait_s: The provider's `Retry-After`, in seconds.
        """
        self.trouble = trouble
        at_once = trouble.lasting or (wait_s or 0.0) >= self._rest_s
        self._failures = max(self._failures + 1, self._threshold if at_once else 0)
        if self.open:
            self._trial_at = self._now() + max(self._rest_s, min(wait_s or 0.0, LONGEST_REST_S))


class BreakerModel:
    """`ports.Model` with a breaker for each provider. Breakers live in memory, so each replica has its own."""

    def __init__(self, model: Model, breaker: Callable[[], Breaker] = Breaker) -> None:
        self._model = model
        self._breakers: dict[str, Breaker] = defaultdict(breaker)

    def circuits(self) -> dict[str, bool]:
        """Return for each provider that was asked whether its breaker is open."""
        return {provider: breaker.open for provider, breaker in self._breakers.items()}

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        """Classify a text; raises what the wrapped model raises, and ModelDown while the breaker is open."""
        breaker = self._breakers[model.provider]
        if not breaker.admits():
            raise ModelDown(f"the circuit breaker of the provider '{model.provider}' is open", breaker.trouble)
        try:
            answer = await self._model.classify(model, prompt, text, examples, explain=explain)
        except ModelError as error:
            if error.trouble.of_this_question or error.encoder:
                breaker.succeeded()  # an encoder's service has a breaker of its own
            else:
                breaker.failed(error.trouble, error.wait_s)
            raise
        breaker.succeeded()
        return answer

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """Ask for a reason even while the breaker is open: a person waits for it and may write one instead."""
        return await self._model.reason(model, prompt, text, category)
