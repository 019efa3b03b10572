"""A front that speaks TLS for a server on loopback, with the certificate of a made-up company's authority.

The key of the authority was thrown away, and the certificates are valid until 2126. The server's key is in this folder,
so it protects nothing.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

AUTHORITY = Path(__file__).parent / "authority.pem"
"""The authority's certificate, as an operator would name it in SSL_CERT_FILE."""


def server_context() -> ssl.SSLContext:
    """Return the context of a server with a certificate of the authority, for 127.0.0.1 and localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(__file__).parent / "server.pem")
    return context


@asynccontextmanager
async def tls_front(url: str) -> AsyncIterator[str]:
    """Serve the server at this http address over TLS too, until the block ends; yield its https address."""
    behind = urlsplit(url)
    under_way: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        under_way.add(task)
        with suppress(OSError, asyncio.CancelledError):
            from_server, to_server = await asyncio.open_connection(behind.hostname, behind.port)
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
        under_way.discard(task)

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context())
    try:
        yield f"https://127.0.0.1:{front.sockets[0].getsockname()[1]}{behind.path}"
    finally:
        front.close()
        for task in list(under_way):
            if task:
                task.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
