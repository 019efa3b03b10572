"""The HTTP server on the only port that this program opens."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from bot.domain.faults import Fault, Problem, Unable

GRACE_SECONDS = 2
"""Maximum wait, in seconds, for requests in progress when the server stops."""
KEEP_SECONDS = 75
"""Seconds that an idle connection stays open.

Load balancers usually keep one for 60 seconds. A longer time here avoids a request on a connection that is closing.
"""


class PortTaken(Unable):
    """The server cannot listen at this host and port; its problem says why."""


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers, because the caller of `serving` stops it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve_http(host: str, port: int, routes: Sequence[BaseRoute]) -> AsyncIterator[str]:
    """Serve these routes until the block ends.

    Args:
        host: The address to listen at.
        port: The port; 0 takes any free one.
        routes: What to serve.

    Yields:
        The server's URL.

    Raises:
        PortTaken: The port is in use, or the host is not an address of this machine.
    """
    listener = _bind(host, port)
    config = uvicorn.Config(
        Starlette(routes=routes),
        lifespan="off",
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
