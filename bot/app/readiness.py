"""What is asked of a bot on duty: is it ready for work, and what does it measure."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping

from bot.app.telemetry import Telemetry
from bot.app.wiring import Core
from bot.domain.errors import ModelError
from handlers.server.health import Check, HealthPart

MODEL_SECONDS = 30.0
"""How long it is believed that a model that has answered once goes on to."""
READ_SECONDS = 3.0
"""For the figures that stand in the database."""


def checks_of(core: Core, slack: Check) -> dict[str, Check]:
    """The parts that a bot needs, by name."""

    async def database() -> HealthPart:
        async with core.ports.store.transaction() as tx:
            await tx.releases.serving()
        return HealthPart(ready=True)

    return {"database": database, "slack": slack, "model": ServingModel(core).part}


class ServingModel:
    """Whether the model of the serving release answers.

    It must have answered once since the start. After that a model that is down is a matter of retries and of the
    fallback, and no reason to send Slack elsewhere: what is asked meanwhile is written down and answered later, while
    what no replica takes in is lost after Slack's third try.
    """

    def __init__(self, core: Core, now: Callable[[], float] = time.monotonic) -> None:
        self._core = core
        self._now = now
        self._answered = False
        self._known = HealthPart(ready=False)
        self._until = float("-inf")

    async def part(self) -> HealthPart:
        if self._now() >= self._until:
            self._known = await self._asked()
            if self._known.says == "ok":
                self._answered, self._until = True, self._now() + MODEL_SECONDS
        return self._known

    async def _asked(self) -> HealthPart:
        release = await self._core.acts.releasing.serving()
        try:
            await self._core.probe.reach(release.model)
        except ModelError as error:
            return HealthPart(self._answered, f"{release.model}: {error}")
        return HealthPart(ready=True)


def metrics_of(core: Core, telemetry: Telemetry) -> Callable[[Mapping[str, bool]], Awaitable[bytes]]:
    """The text for Prometheus; what cannot be read from the database just now is not a number."""

    async def metrics(ready: Mapping[str, bool]) -> bytes:
        telemetry.parts(ready)
        telemetry.circuits(core.breaker.circuits())
        with contextlib.suppress(Exception):
            async with asyncio.timeout(READ_SECONDS):
                await telemetry.read(core.ports.store, core.ports.clock)
        return telemetry.text()

    return metrics
