"""A front that speaks TLS for a server on loopback, with the certificate of a made-up company's authority.

The key of the authority was thrown away, and the certificates are valid until 2126. The server's key is in this folder,
so it protects nothing.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.kits.front import Front

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
    async with Front(url, server_context()).running() as front:
        yield front.url
