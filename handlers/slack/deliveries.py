"""Deliveries from Slack, over a socket or as HTTP requests, and how the bot finishes them when it stops."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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

from bot.domain.nesting import parse_nested
from handlers.server.health import HealthPart
from handlers.slack.shapes import misshapen

log = logging.getLogger(__name__)

REQUEST_BYTES = 1 << 20
"""Maximum size of a request's body; Slack's own requests stay far below."""
BODY_SECONDS = 3.0
"""Timeout, in seconds, for a body to arrive; Slack itself gives up after that."""


class Deliveries:
    """The deliveries in progress. A delivery ends when it is acked and its listener has returned.

    Args:
        acked: Called with the seconds from a delivery to its ack.
    """

    def __init__(self, acked: Callable[[float], None]) -> None:
        self._acked = acked
        self._in_progress = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.open = True

    @contextmanager
    def track(self) -> Iterator[None]:
        """Count a delivery until its ack, at which the block ends."""
        started = time.perf_counter()
        self._started()
        try:
            yield
            self._acked(time.perf_counter() - started)
        finally:
            self._finished()

    def follow(self, app: AsyncApp) -> None:
        """Count this app's listeners too: they run on after the ack, and Bolt keeps no record of them."""

        async def listener_started() -> None:
            self._started()

        async def listener_finished() -> None:
            self._finished()

        runner = app.listener_runner
        runner.listener_start_handler = AsyncCustomListenerStartHandler(app.logger, listener_started)
        runner.listener_completion_handler = AsyncCustomListenerCompletionHandler(app.logger, listener_finished)

    async def close(self, seconds: float) -> None:
        """Accept no more deliveries, and wait up to `seconds` for those in progress."""
        self.open = False
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("%s deliveries from Slack did not finish in time", self._in_progress)

    def _started(self) -> None:
        self._in_progress += 1
        self._idle.clear()

    def _finished(self) -> None:
        self._in_progress -= 1
        if not self._in_progress:
            self._idle.set()


def _flaw_of(frame: str) -> str | None:
    """Return the field of a frame that is not as Slack writes it, or None."""
    try:
        message = parse_nested(frame)
    except ValueError:
        return "frame"
    if not isinstance(message, dict):
        return "frame"
    unwritten = [key for key in ("type", "envelope_id") if not isinstance(message.get(key), str | None)]
    if unwritten:
        return unwritten[0]
    return misshapen(message.get("payload")) if "envelope_id" in message else None


class Socket(AsyncSocketModeHandler):
    """Slack's socket. Once deliveries are closed it ignores envelopes, so that another replica gets them."""

    def __init__(self, app: AsyncApp, token: str, deliveries: Deliveries, connected: Callable[[], None]) -> None:
        super().__init__(app, token)
        self._deliveries = deliveries
        self._connected = connected
        self._opened = time.monotonic()
        self.client.message_listeners.append(self._on_message)
        client: Any = self.client
        self._enqueue = client.enqueue_message
        client.enqueue_message = self._enqueue_readable

    async def _enqueue_readable(self, frame: str) -> None:
        """Pass a frame on to the SDK, unless it is none of Slack's: the SDK and Bolt would log a stack trace of it."""
        flaw = _flaw_of(frame)
        if flaw:
            log.warning("a frame of the socket was ignored: its field %s is not of Slack's shape", flaw)
            return
        await self._enqueue(frame)

    async def handle(self, client: Any, req: Any) -> None:
        if self._deliveries.open:
            with self._deliveries.track():
                await self._dispatch(client, req)

    async def _dispatch(self, client: Any, req: Any) -> None:
        try:
            await super().handle(client, req)
        except Exception as error:  # noqa: BLE001 - what listeners raise is handled elsewhere, so this is Bolt's own
            log.warning("a delivery was not acked: Bolt cannot read it (%s)", type(error).__name__)

    async def _on_message(self, _client: Any, message: dict[str, Any], _raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self._opened = time.monotonic()
            self._connected()

    def age(self) -> float:
        """Return the seconds since the socket was opened; Slack renews it every few hours."""
        return time.monotonic() - self._opened

    def silence(self) -> float:
        """Return the seconds since Slack's last pong; 0 before the first one."""
        pong = self.client.last_ping_pong_time
        return 0.0 if pong is None else time.time() - pong

    async def part(self) -> HealthPart:
        """Return whether the socket is connected and Slack answers its pings."""
        if await self.client.is_connected():
            return HealthPart(ready=True)
        return HealthPart(ready=False, detail="the socket is not connected")


@dataclass(frozen=True)
class Installation:
    """The app that a token belongs to, and where it is installed."""

    app: str
    team: str
    enterprise: str | None

    def owns(self, body: Mapping[str, Any]) -> bool:
        """Return whether a payload of Slack is for this installation.

        A payload that names no app or no team passes: its signature was verified.
        """
        # No sets: ids that are lists or objects have no hash.
        if body.get("api_app_id") not in (None, self.app):
            return False
        teams = [team for team in _teams_of(body) if team]
        return not teams or self.team in teams or self.enterprise in teams


def _teams_of(body: Mapping[str, Any]) -> Iterator[Any]:
    """Return the ids of the workspaces and organisations that a payload names as its receiver."""
    places = [body, *_objects(body.get("authorizations")), *_objects([body.get("team"), body.get("enterprise")])]
    for place in places:
        yield from (place.get(key) for key in ("team_id", "enterprise_id", "context_team_id", "context_enterprise_id"))
    yield from (place.get("id") for place in places[1:])


def _objects(several: Any) -> list[Mapping[str, Any]]:
    return [one for one in several if isinstance(one, Mapping)] if isinstance(several, list) else []


class Requests:
    """The receiver of Slack's requests to `/slack/events`: events, presses, modals and commands (HTTP mode)."""

    def __init__(self, signing_secret: str) -> None:
        self._verifier = SignatureVerifier(signing_secret)
        self._app: AsyncApp | None = None
        self._deliveries: Deliveries | None = None
        self._installation: Installation | None = None
        self.route = Route("/slack/events", self._handle, methods=["POST"])

    def attach(self, app: AsyncApp, deliveries: Deliveries, installation: Installation) -> None:
        """Let this app answer from now on. Before, and once the deliveries are closed, Slack gets a 503 and retries."""
        self._app, self._deliveries, self._installation = app, deliveries, installation

    async def _handle(self, request: Request) -> Response:
        """Answer one request. The content of a refused request is neither passed on nor logged."""
        if self._app is None or self._deliveries is None or not self._deliveries.open:
            return Response(status_code=503)
        accepted = await self._accept(request)
        if isinstance(accepted, Response):
            return accepted
        with self._deliveries.track():
            return to_starlette_response(await self._app.async_dispatch(accepted))

    async def _accept(self, request: Request) -> AsyncBoltRequest | Response:
        """Return the request as Bolt takes it, or the refusal of a request that is not Slack's to this app."""
        try:
            body = await _body_of(request)
        except (TimeoutError, ClientDisconnect):
            return _refuse(408, "the body did not arrive in time")
        if body is None:
            return _refuse(413, "the body is too large")
        if not self._is_signed(request, body):
            return _refuse(401, "it is too old, or not signed with SLACK_SIGNING_SECRET")
        bolt_request = _parse(request, body)
        if bolt_request is None:
            return _refuse(400, "it is signed, but its body is not a JSON object of Slack's")
        if self._installation is None or not self._installation.owns(bolt_request.body):
            return _refuse(403, "it is for another app or another workspace")
        flaw = misshapen(bolt_request.body)
        return _refuse(400, f"its field {flaw} is not of Slack's shape") if flaw else bolt_request

    def _is_signed(self, request: Request, body: bytes) -> bool:
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        try:
            return self._verifier.is_valid(body, timestamp, request.headers.get("x-slack-signature", ""))
        except (TypeError, ValueError):  # the timestamp is no number, or the signature or body is no text
            return False


def _parse(request: Request, body: bytes) -> AsyncBoltRequest | None:
    """Return the request as Bolt parses it, or None if it cannot be parsed."""
    try:
        bolt_request = to_async_bolt_request(request, body)
    except Exception:  # noqa: BLE001 - Bolt's parser may raise anything
        return None
    return bolt_request if isinstance(bolt_request.body.get("event", {}), dict) else None


async def _body_of(request: Request) -> bytes | None:
    """Return the body, or None if it is too large.

    Raises:
        TimeoutError: The body took longer than `BODY_SECONDS`.
        ClientDisconnect: The client closed the connection.
    """
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > REQUEST_BYTES:
                return None
    return bytes(body)


def _refuse(status: int, why: str) -> Response:
    log.warning("a request to /slack/events was refused (%s): %s", status, why)
    return JSONResponse({"error": "invalid request"}, status)
