"""The HTTP server on the only port that this program opens."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.domain.faults import Fault, Problem, Unable

GRACE_SECONDS = 2
"""Maximum wait, in seconds, for requests in progress when the server stops."""
KEEP_SECONDS = 75
"""Seconds that an idle connection stays open, also before its first request.

Load balancers usually keep one for 60 seconds. A longer time here avoids a request on a connection that is closing.
"""


SENT_SECONDS = 10.0
"""Seconds within which a request must arrive, with its body, once its first byte has."""


class PortTaken(Unable):
    """A host and port at which the server cannot listen; the problem says why."""


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers, because the caller of `serving` stops it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _BoundedRequest(H11Protocol):
    """HTTP that hangs up on silence and on a half-sent request. Uvicorn itself would wait for both without a bound.

    A refusal that is sent before the body has arrived leaves a connection on which more of it may come.
    """

    _giving_up: asyncio.TimerHandle | None = None
    _silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._silence = self.loop.call_later(KEEP_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        self._speak()
        super().data_received(data)
        state = self.conn.their_state
        half_sent = state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))
        if half_sent and self._giving_up is None:
            self._giving_up = self.loop.call_later(SENT_SECONDS, self.transport.close)
        elif not half_sent:
            self._wait_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._speak()
        self._wait_on()
        super().connection_lost(exc)

    def _speak(self) -> None:
        if self._silence:
            self._silence.cancel()
            self._silence = None

    def _wait_on(self) -> None:
        if self._giving_up:
            self._giving_up.cancel()
            self._giving_up = None


@asynccontextmanager
async def serve_http(host: str, port: int, routes: Sequence[BaseRoute]) -> AsyncIterator[str]:
    """Serve these routes until the block ends.

    Args:
        host: The address to listen at.
        port: The port; 0 takes any free one.
        routes: The routes.

    Yields:
        The server's URL.

    Raises:
        PortTaken: The port is in use, or the host is not an address of this machine.
    """
    listener = _bind(host, port)
    config = uvicorn.Config(
        Starlette(routes=routes),
        lifespan="off",
        http=_BoundedRequest,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    # Listen already here: a client that connects before uvicorn is ready then waits instead of being refused.
    listener.listen(config.backlog)
    running = asyncio.create_task(server.serve([listener]))
    try:
        url_host = f"[{host}]" if ":" in host else host
        yield f"http://{url_host}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await running
        listener.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        facts = {"address": f"{host}:{port}", "error": error.strerror or str(error)}
        raise PortTaken(Problem(what=Fault.PORT_TAKEN, facts=facts)) from None
    return listener
