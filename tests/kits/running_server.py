"""HTTP servers of tests, without uvicorn's waits: its main loop and its shutdown poll every tenth of a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import uvicorn

from bot.practice.server import stop_accepting


@asynccontextmanager
async def running_server(
    app: Any, port: int = 0, ws: Literal["none", "websockets-sansio"] = "none"
) -> AsyncIterator[uvicorn.Server]:
    """Serve an app on loopback until the block ends, then abort what is left of connections and requests.

    Args:
        app: The ASGI app.
        port: The port; 0 takes any free one, which `port_of` returns.
        ws: The implementation of WebSockets.
    """
    config = uvicorn.Config(app, port=port, log_level="critical", lifespan="off", ws=ws)
    config.timeout_keep_alive = 600  # no client of a test uses a connection that the server is closing
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server
    finally:
        await abort(server)


def port_of(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


async def abort(server: uvicorn.Server) -> None:
    """Close the listener, all connections and all requests; return when nothing of them is left in the event loop."""
    await stop_accepting(server.servers)
    state = server.server_state
    while state.connections or state.tasks:
        for connection in tuple(state.connections):
            connection.transport.abort()
        for task in tuple(state.tasks):  # a request that a fault keeps waiting
            task.cancel()
        await asyncio.sleep(0)
