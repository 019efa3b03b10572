"""The SDK's client of one provider. This module imports the SDK, so it is imported when the first client is needed."""

import ssl
from typing import Any

import httpx2
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from openai import AsyncOpenAI

IDLE_SECONDS = 5.0
"""Seconds for which an idle connection is kept, as the SDK's own transport keeps it."""


class ProviderClient(AsyncOpenAI):
    """The SDK's client without the organisation, project, admin key and headers from the environment.

    These belong to one account, and the SDK would send them to every provider. `with_options` copies a client through
    `__init__`, so copies are clean too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.organization = self.project = self.admin_api_key = self.webhook_secret = None
        self._custom_headers = {}


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """The network of the SDK's client by aiohttp, which takes half the processor time of its usual one.

    It uses no proxy. Responses are read as a whole.

    Args:
        trust: The certificate authorities to trust.
    """

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self._session: ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return its response.

        Raises:
            httpx2.ConnectError, httpx2.ConnectTimeout: Nothing was sent.
            httpx2.ReadError, httpx2.ReadTimeout: The request may have been received.
        """
        try:
            async with self._open().request(
                request.method,
                str(request.url),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=request.content if isinstance(request.stream, httpx2.ByteStream) else request.stream,
                allow_redirects=False,  # the client follows them
                timeout=_timeout_of(request),
            ) as answer:
                content = await answer.read()
        except ConnectionTimeoutError as error:
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except ClientConnectorError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx2.ReadTimeout(str(error), request=request) from error
        except (ClientError, OSError) as error:
            raise httpx2.ReadError(str(error), request=request) from error
        return httpx2.Response(answer.status, headers=list(answer.raw_headers), content=content)

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> ClientSession:
        """Return the session, made within the running event loop."""
        if self._session is None:
            connector = TCPConnector(limit=0, ssl=self._trust, keepalive_timeout=IDLE_SECONDS)
            # The client decodes bodies, and keeps no cookies of one question for the next.
            self._session = ClientSession(connector=connector, auto_decompress=False, cookie_jar=DummyCookieJar())
        return self._session


def _timeout_of(request: httpx2.Request) -> ClientTimeout:
    """Return the timeouts that the client set for a request."""
    seconds = request.extensions.get("timeout", {})
    return ClientTimeout(total=None, sock_connect=seconds.get("connect"), sock_read=seconds.get("read"))
