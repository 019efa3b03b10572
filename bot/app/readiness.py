"""The readiness checks and the metrics of a running bot, and what a first question would wait for."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from bot.app.telemetry import Telemetry
from bot.app.wiring import Core
from bot.domain.errors import ModelError
from bot.domain.masking import masked
from bot.domain.thing import Thing, build_validators
from bot.providers.wire import ResponseBody
from handlers.server.health import Check, HealthPart
from handlers.slack.shapes import SlackShape
from handlers.texts.words import texts
from handlers.views.ids import Payload

log = logging.getLogger(__name__)

MODEL_SECONDS = 30.0
"""How long one answer of the model counts as proof that it works, in seconds."""
READ_SECONDS = 3.0
"""Deadline for reading the figures of the database, in seconds."""
REPEATED = 30
"""How often a text is repeated, so that a thread looks through it and not the event loop."""


def checks_of(core: Core, slack: Check) -> dict[str, Check]:
    """Return the check of each part that the bot needs, by name."""

    async def database() -> HealthPart:
        async with core.ports.store.transaction() as tx:
            await tx.releases.serving()
        return HealthPart(ready=True)

    return {"database": database, "slack": slack, "model": ServingModel(core).part}


class ServingModel:
    """The check of the serving release's model.

    The model must have answered once since the start. Later, the bot stays ready while the model is down: questions
    are stored, and retries or the fallback answer them. If no replica were ready, a delivery would be lost after
    Slack's third try.
    """

    def __init__(self, core: Core, now: Callable[[], float] = time.monotonic) -> None:
        self._core = core
        self._now = now
        self._answered = False
        self._last = HealthPart(ready=False)
        self._valid_until = float("-inf")

    async def part(self) -> HealthPart:
        if self._now() >= self._valid_until:
            self._last = await self._probe()
            if self._last.detail == "ok":
                self._answered, self._valid_until = True, self._now() + MODEL_SECONDS
        return self._last

    async def _probe(self) -> HealthPart:
        release = await self._core.acts.releasing.serving()
        try:
            await self._core.probe.check_model(release.model)
        except ModelError as error:
            return HealthPart(self._answered, f"{release.model}: {error}")
        return HealthPart(ready=True)


def metrics_of(core: Core, telemetry: Telemetry) -> Callable[[Mapping[str, bool]], Awaitable[bytes]]:
    """Return a function that renders the metrics for Prometheus; unreadable figures of the database are NaN."""

    async def metrics(ready: Mapping[str, bool]) -> bytes:
        telemetry.record_parts(ready)
        telemetry.record_circuits(core.breaker.circuits())
        with contextlib.suppress(Exception):
            async with asyncio.timeout(READ_SECONDS):
                await telemetry.read(core.ports.store, core.ports.clock)
        return telemetry.text()

    return metrics


async def warm_up(core: Core) -> None:
    """Do in the background what else the first question would wait for: patterns, texts and the embedded model.

    No other provider is asked. Never raises.
    """
    try:
        sentence = await asyncio.to_thread(_read_texts_and_patterns)
        await core.acts.caring.needs_help(sentence * REPEATED)
        release = await core.acts.releasing.serving()
        if core.ports.embedded.revision(release.model) is not None:
            await core.ports.model.classify(release.model, await core.acts.prompting.current(), sentence)
    except Exception as error:  # noqa: BLE001 - the first question then takes longer, or says what is wrong
        log.info("the first question will take longer: %s", type(error).__name__)


def _read_texts_and_patterns() -> str:
    """Return a Japanese text, so that the patterns of both languages are read for it."""
    from bot.domain.parts import parts_of

    build_models()
    _, japanese = (texts(language)["ask.taken"] for language in ("en", "ja"))
    parts_of(japanese)
    return masked(japanese)


def build_models() -> None:
    """Build the validators of all that is checked later."""
    build_validators(Thing, Payload, SlackShape, ResponseBody)
