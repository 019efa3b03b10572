"""Health checks for a supervisor: whether the process is alive and ready for work, and its metrics."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CHECK_SECONDS = 3.0
"""Timeout of one check, in seconds."""
HEALTH_CACHE_SECONDS = 2.0
"""Seconds that check results are cached, so that frequent requests do not repeat the checks."""
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class HealthPart(NamedTuple):
    """The state of one part of the bot: whether it allows new work, and a short text without any secret."""

    ready: bool
    detail: str = "ok"


Check = Callable[[], Awaitable[HealthPart]]


class Health:
    """The readiness of this process: not ready during the start, then as the checks say, not ready once it drains.

    Args:
        now: Seconds of a monotonic clock.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._checks: dict[str, Check] = {}
        self._state = HealthPart(ready=False, detail="starting")
        self._metrics: Callable[[Mapping[str, bool]], Awaitable[bytes]] | None = None
        self._cached: dict[str, HealthPart] = {}
        self._checked_at = float("-inf")
        self._checking = asyncio.Lock()

    @property
    def routes(self) -> list[Route]:
        """The routes `/healthz`, `/readyz` and `/metrics`. They answer from the program's start to its end."""
        return [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics_page),
        ]

    def start_checks(
        self, checks: Mapping[str, Check], metrics: Callable[[Mapping[str, bool]], Awaitable[bytes]]
    ) -> None:
        """End the start phase: from now on the checks decide whether this process is ready.

        Args:
            checks: Name of a part → its check.
            metrics: Takes the readiness of each part, and returns the body of `/metrics`.
        """
        self._checks, self._metrics = dict(checks), metrics
        self._state, self._checked_at = HealthPart(ready=True, detail="running"), float("-inf")

    def drain(self) -> None:
        """Report this process as not ready from now on, so that it is sent no more work."""
        self._state = HealthPart(ready=False, detail="draining")

    async def parts(self) -> dict[str, HealthPart]:
        """Return the state of each part, at most `HEALTH_CACHE_SECONDS` old."""
        async with self._checking:
            if self._now() - self._checked_at >= HEALTH_CACHE_SECONDS:
                checks = list(self._checks.items())
                results = await asyncio.gather(*(_run_check(check) for _, check in checks))
                self._cached = dict(zip((name for name, _ in checks), results, strict=True))
                self._checked_at = self._now()
        return {"process": self._state, **self._cached}

    async def _healthz(self, _request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def _readyz(self, _request: Request) -> Response:
        parts = await self.parts()
        missing = [name for name, part in parts.items() if not part.ready]
        body = {
            "ready": not missing,
            "not_ready": missing,
            "parts": {name: part.detail for name, part in parts.items()},
        }
        return JSONResponse(body, 503 if missing else 200, {"cache-control": "no-store"})

    async def _metrics_page(self, _request: Request) -> Response:
        if self._metrics is None:
            return Response("# starting\n", 503, media_type=METRICS)
        parts = await self.parts()
        return Response(await self._metrics({name: part.ready for name, part in parts.items()}), media_type=METRICS)


async def _run_check(check: Check) -> HealthPart:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return HealthPart(ready=False, detail=f"no answer within {CHECK_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 - any error means not ready; its message may hold an address
        return HealthPart(ready=False, detail=type(error).__name__)
