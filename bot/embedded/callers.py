"""Access to the standalone server: for programs, and for no page that a browser shows."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.embedded.errors import error_response


class ProgramsOnly:
    """ASGI middleware that refuses requests of web pages, which could reach this machine through a person's browser.

    A browser says with each request that a page sends it (`Origin`, `Sec-Fetch-Site`); a client of the protocol does
    not. A page whose own name was rebound to this machine shows that name as the host.

    Args:
        app: The application.
        loopback: Whether the server listens on this machine only, so that its host must be a name of this machine.
    """

    def __init__(self, app: ASGIApp, *, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            by_page = "origin" in headers or headers.get("sec-fetch-site", "none") != "none"
            if by_page or (self._loopback and not is_loopback(headers.get("host", ""))):
                refusal = error_response("Only programs may call this server, under a name of its machine.", 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Return whether a host, perhaps with a port, is this machine: `localhost` or a loopback address."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
