"""What a supervisor asks: does this process live, may it be sent work, what does it measure."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CHECK_SECONDS = 3.0
"""For one check."""
HEALTH_CACHE_SECONDS = 2.0
"""How long an answer is kept: however often it is asked for, the parts are not."""
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class HealthPart(NamedTuple):
    """How a part of the bot is: whether it lets work come in, and a word on it, without any secret."""

    ready: bool
    says: str = "ok"


Check = Callable[[], Awaitable[HealthPart]]


class Health:
    """Not ready while the bot starts, ready while every check says so, not ready once it drains."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._checks: dict[str, Check] = {}
        self._state = HealthPart(ready=False, says="starting")
        self._metrics: Callable[[Mapping[str, bool]], Awaitable[bytes]] | None = None
        self._known: dict[str, HealthPart] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    @property
    def routes(self) -> list[Route]:
        """`/healthz`, `/readyz` and `/metrics`, from the start of the program to its end."""
        return [
            Route("/healthz", self._lives),
            Route("/readyz", self._is_ready),
            Route("/metrics", self._measured),
        ]

    def on_duty(self, checks: Mapping[str, Check], metrics: Callable[[Mapping[str, bool]], Awaitable[bytes]]) -> None:
        """The start is over: what is ready is for the checks to say. `metrics` takes it, and gives the whole text."""
        self._checks, self._metrics = dict(checks), metrics
        self._state, self._asked_at = HealthPart(ready=True, says="on duty"), float("-inf")

    def drain(self) -> None:
        """Never ready again: nothing more may be sent here."""
        self._state = HealthPart(ready=False, says="draining")

    async def parts(self) -> dict[str, HealthPart]:
        """How each part is, as of at most `KEPT_SECONDS` ago."""
        async with self._asking:
            if self._now() - self._asked_at >= HEALTH_CACHE_SECONDS:
                checks = list(self._checks.items())
                found = await asyncio.gather(*(_within_time(check) for _, check in checks))
                self._known = dict(zip((name for name, _ in checks), found, strict=True))
                self._asked_at = self._now()
        return {"process": self._state, **self._known}

    async def _lives(self, _request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def _is_ready(self, _request: Request) -> Response:
        parts = await self.parts()
        missing = [name for name, part in parts.items() if not part.ready]
        body = {
            "ready": not missing,
            "not_ready": missing,
            "parts": {name: part.says for name, part in parts.items()},
        }
        return JSONResponse(body, 503 if missing else 200, {"cache-control": "no-store"})

    async def _measured(self, _request: Request) -> Response:
        if self._metrics is None:
            return Response("# starting\n", 503, media_type=METRICS)
        parts = await self.parts()
        return Response(await self._metrics({name: part.ready for name, part in parts.items()}), media_type=METRICS)


async def _within_time(check: Check) -> HealthPart:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return HealthPart(ready=False, says=f"no answer within {CHECK_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready; the message may hold an address
        return HealthPart(ready=False, says=type(error).__name__)
