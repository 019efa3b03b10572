"""The one port that this program listens on."""

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
"""For requests that are under way at the end."""
KEEP_SECONDS = 75
"""An idle connection is kept longer than by load balancers (60 as a rule): none sends into one that is being closed."""


class PortTaken(Unable):
    """Nothing can be served at this host and port; its problem says why."""


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: whoever opened it ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(host: str, port: int, routes: Sequence[BaseRoute]) -> AsyncIterator[str]:
    """Serve these routes until the block ends; their address. Port 0: any free one.

    Raises:
        PortTaken: somebody else listens there, or the host is not this machine's.
    """
    listener = _bound(host, port)
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
    # It listens from here on: whoever comes before uvicorn is there waits a moment.
    listener.listen(config.backlog)
    running = asyncio.create_task(server.serve([listener]))
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await running
        listener.close()


def _bound(host: str, port: int) -> socket.socket:
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
