"""Socket Mode: tickets, sockets, envelopes and acks."""

import asyncio
import json
import logging
import secrets
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.practice.delivery import Delivery, NotAckedError, Timing
from bot.practice.json_text import parse_json
from bot.practice.wire import Json

log = logging.getLogger(__name__)
_MAX_SOCKETS = 10
_UNSUPPORTED = 1003
"""The close code of a frame that cannot be taken (RFC 6455)."""


@dataclass(eq=False)
class _Socket:
    ws: WebSocket
    number: int
    pending: dict[str, asyncio.Future[Json | None]] = field(default_factory=dict)

    async def send(self, frame: Json) -> None:
        try:
            await self.ws.send_text(json.dumps(frame))
        except (WebSocketDisconnect, RuntimeError):
            raise NotAckedError("connection_failed") from None


class SocketMode(Delivery):
    """Delivery by the open sockets of the installed app. Each envelope goes to one socket, in turn."""

    def __init__(self, app_id: str, timing: Timing, clock: Callable[[], float]) -> None:
        super().__init__(timing)
        self._app_id = app_id
        self._clock = clock
        self._sockets: deque[_Socket] = deque()
        self._tickets: dict[str, float] = {}
        self._opened = 0

    @property
    def connected(self) -> int:
        """Return how many sockets accept envelopes now."""
        return len(self._sockets)

    def ticket(self) -> str:
        """Return a new ticket, valid for one connection within `Timing.ticket` seconds."""
        now = self._clock()
        self._tickets = {ticket: end for ticket, end in self._tickets.items() if end > now}
        ticket = str(uuid.uuid4())
        self._tickets[ticket] = now + self.timing.ticket
        return ticket

    async def serve_socket(self, ws: WebSocket) -> None:
        """Serve one socket from handshake to close. An unknown or expired ticket, or an eleventh socket, is refused."""
        if self._tickets.pop(ws.query_params.get("ticket", ""), 0.0) <= self._clock():
            await ws.close()
            return
        await ws.accept()
        self._opened += 1
        socket = _Socket(ws, self._opened)
        if self.connected >= _MAX_SOCKETS:
            await self._send_disconnect(socket, "too_many_websockets")
            await ws.close()
            return
        try:
            await self._receive_acks(socket)
        except (WebSocketDisconnect, NotAckedError):
            log.debug("socket %d closed", socket.number)
        except (ValueError, TypeError, AttributeError, KeyError):
            log.warning("socket %d is closed: the app sent a frame that is no ack", socket.number)
            await _hang_up(ws)
        finally:
            self._remove(socket)
            for future in socket.pending.values():
                if not future.done():
                    future.set_exception(NotAckedError("connection_failed"))

    async def _receive_acks(self, socket: _Socket) -> None:
        debug = {"host": "applink-practice-1", "build_number": 1, "approximate_connection_time": 18060}
        info = {"app_id": self._app_id}
        number = self.connected + 1
        await socket.send({"type": "hello", "num_connections": number, "debug_info": debug, "connection_info": info})
        self._sockets.append(socket)
        self.on_change()
        while True:
            ack = parse_json(await socket.ws.receive_text())
            future = socket.pending.get(ack.get("envelope_id", ""))
            if future and not future.done():
                future.set_result(ack.get("payload"))

    def _remove(self, socket: _Socket) -> None:
        if socket in self._sockets:
            self._sockets.remove(socket)
            self.on_change()

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        """Send an envelope to the next socket and return the payload of its ack.

        Raises:
            NotAckedError: No socket is open, the socket closed, or the ack took longer than `Timing.ack`.
        """
        if not self._sockets:
            raise NotAckedError("connection_failed")
        socket = self._sockets[0]
        self._sockets.rotate(-1)
        envelope_id = str(uuid.uuid4())
        future: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        socket.pending[envelope_id] = future
        try:
            async with asyncio.timeout(self.timing.ack):
                await socket.send({"envelope_id": envelope_id, "type": kind, "payload": payload, **extra})
                return await future
        except TimeoutError:
            raise NotAckedError("timeout") from None
        finally:
            del socket.pending[envelope_id]

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every client to close its socket, and send no more envelopes to these sockets.

        A socket that its client leaves open is closed after `Timing.disconnect`; for `link_disabled`, at once.

        Args:
            reason: `warning`, `refresh_requested` or `link_disabled`.
        """
        for socket in list(self._sockets):
            self._remove(socket)
            await self._send_disconnect(socket, reason)
            grace = 0.0 if reason == "link_disabled" else self.timing.disconnect
            self._background(self._close_after(socket, grace))

    async def drop(self) -> None:
        """Close every socket without a `disconnect` frame."""
        for socket in list(self._sockets):
            self._remove(socket)
            await self._close_after(socket, 0.0)

    async def _send_disconnect(self, socket: _Socket, reason: str) -> None:
        await socket.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-practice-1"}})

    async def _close_after(self, socket: _Socket, grace: float) -> None:
        await asyncio.sleep(grace)
        try:
            await socket.ws.close()
        except (WebSocketDisconnect, RuntimeError):
            log.debug("socket %d was already closed", socket.number)

    async def aclose(self) -> None:
        """Cancel the deliveries in progress and close every socket."""
        await super().aclose()
        await self.drop()


async def _hang_up(ws: WebSocket) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await ws.close(_UNSUPPORTED)


def token(kind: str) -> str:
    """Return a new token in the form of Slack's; `kind` is `xoxb` or `xapp`."""
    return f"{kind}-1-{secrets.token_hex(8)}-{secrets.token_hex(16)}"
