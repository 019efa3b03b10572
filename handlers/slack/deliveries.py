"""What Slack delivers, and when it may end: by a socket, or by requests to an address of ours."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.listener.async_listener_completion_handler import AsyncCustomListenerCompletionHandler
from slack_bolt.listener.async_listener_start_handler import AsyncCustomListenerStartHandler
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlers.server.health import HealthPart

log = logging.getLogger(__name__)

REQUEST_BYTES = 1 << 20
"""Of a request of Slack's; what they send stays far below."""
BODY_SECONDS = 3.0
"""For a body to come in: Slack itself gives up after that."""


class Deliveries:
    """What is taken in and not yet done with: until its ack, and on until its listener has ended."""

    def __init__(self, acked: Callable[[float], None]) -> None:
        self._acked = acked
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.open = True

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Around a delivery, up to its ack."""
        started = time.perf_counter()
        self._begun()
        try:
            yield
            self._acked(time.perf_counter() - started)
        finally:
            self._done()

    def follow(self, app: AsyncApp) -> None:
        """Know of this app's listeners: Bolt lets them run on after the ack, and forgets them."""

        async def begun() -> None:
            self._begun()

        async def done() -> None:
            self._done()

        runner = app.listener_runner
        runner.listener_start_handler = AsyncCustomListenerStartHandler(app.logger, begun)
        runner.listener_completion_handler = AsyncCustomListenerCompletionHandler(app.logger, done)

    async def close(self, seconds: float) -> None:
        """Take nothing more in, and wait for what is under way."""
        self.open = False
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%s deliveries of Slack's were not done with in time", self._under_way)

    def _begun(self) -> None:
        self._under_way += 1
        self._idle.clear()

    def _done(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()


class Socket(AsyncSocketModeHandler):
    """Slack's socket, which lets go of what comes in after the end: another replica gets it."""

    def __init__(self, app: AsyncApp, token: str, deliveries: Deliveries, connected: Callable[[], None]) -> None:
        super().__init__(app, token)
        self._deliveries = deliveries
        self._connected = connected
        self._opened = time.monotonic()
        self.client.message_listeners.append(self._greeted)

    async def handle(self, client: Any, req: Any) -> None:
        if self._deliveries.open:
            with self._deliveries.taken():
                await super().handle(client, req)

    async def _greeted(self, _client: Any, message: dict[str, Any], _raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self._opened = time.monotonic()
            self._connected()

    def age(self) -> float:
        """Seconds since it was opened; Slack renews it every few hours."""
        return time.monotonic() - self._opened

    def silence(self) -> float:
        """Seconds since Slack's last pong."""
        pong = self.client.last_ping_pong_time
        return 0.0 if pong is None else time.time() - pong

    async def part(self) -> HealthPart:
        """Whether it is connected and Slack has answered its pings."""
        if await self.client.is_connected():
            return HealthPart(ready=True)
        return HealthPart(ready=False, says="the socket is not connected")


class Requests:
    """Slack's requests to `/slack/events`: events, presses, forms and commands (HTTP mode)."""

    def __init__(self, signing_secret: str) -> None:
        self._verifier = SignatureVerifier(signing_secret)
        self._app: AsyncApp | None = None
        self._deliveries: Deliveries | None = None
        self.route = Route("/slack/events", self._take, methods=["POST"])

    def answer_by(self, app: AsyncApp, deliveries: Deliveries) -> None:
        """From now on this app answers; until then, and after the end, Slack is told to come again."""
        self._app, self._deliveries = app, deliveries

    async def _take(self, request: Request) -> Response:
        """Nothing of a request that is refused is read by anybody, or written to the log."""
        if self._app is None or self._deliveries is None or not self._deliveries.open:
            return Response(status_code=503)
        try:
            body = await _body_of(request)
        except (TimeoutError, ClientDisconnect):
            return _refused(408, "it did not come in in time")
        if body is None:
            return _refused(413, "it is too large")
        if not self._signed(request, body):
            return _refused(401, "it is old, or not signed with SLACK_SIGNING_SECRET")
        asked = _read(request, body)
        if asked is None:
            return _refused(400, "it is signed, and is no JSON object as Slack sends it")
        with self._deliveries.taken():
            return to_starlette_response(await self._app.async_dispatch(asked))

    def _signed(self, request: Request, body: bytes) -> bool:
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        try:
            return self._verifier.is_valid(body, timestamp, request.headers.get("x-slack-signature", ""))
        except (TypeError, ValueError):  # a timestamp that is no number, a signature or a body that is no text
            return False


def _read(request: Request, body: bytes) -> AsyncBoltRequest | None:
    """What Bolt reads in a body, None where it makes no sense to it."""
    try:
        asked = to_async_bolt_request(request, body)
    except Exception:  # noqa: BLE001 - it raises whatever it stumbles over
        return None
    return asked if isinstance(asked.body.get("event", {}), dict) else None


async def _body_of(request: Request) -> bytes | None:
    """The body, None where it is too large. Raises TimeoutError, ClientDisconnect."""
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > REQUEST_BYTES:
                return None
    return bytes(body)


def _refused(status: int, why: str) -> Response:
    log.warning("a request to /slack/events was refused (%s): %s", status, why)
    return JSONResponse({"error": "invalid request"}, status)
