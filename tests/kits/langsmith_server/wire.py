"""Parsing of requests, and the table of routes."""

import io
import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import zstandard
from starlette.datastructures import Headers, QueryParams
from starlette.formparsers import MultiPartParser
from starlette.responses import Response
from starlette.types import Receive, Scope

from tests.kits.langsmith_server.datasets import Invalid

ID = r"([0-9a-f-]{36})"
Handler = Callable[..., Response]


class Routes(list[tuple[str, Handler]]):
    """Route patterns with their handlers."""

    def route(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler, which is called with the state, the request, and the pattern's groups."""

        def register(handler: Handler) -> Handler:
            self.append((pattern, handler))
            return handler

        return register


@dataclass(frozen=True)
class Got:
    """A received request; its path lacks the API version's prefix."""

    route: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    parts: dict[str, Any]
    """The parsed JSON of a multipart body's parts, by name."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def ids(self, key: str) -> list[str]:
        return self.query.get(key, [])

    def one(self, key: str) -> str | None:
        return self.query[key][0] if self.query.get(key) else None

    def page(self, entries: list[Any]) -> list[Any]:
        limit, offset = int(self.one("limit") or 100), int(self.one("offset") or 0)
        if not 1 <= limit <= 100:
            raise Invalid("limit: at most 100")
        return entries[offset : offset + limit]


async def read(scope: Scope, receive: Receive) -> Got:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = Headers(scope=scope)
    if headers.get("content-encoding") == "zstd":
        body = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read()
    parts: dict[str, Any] = {}
    if headers.get("content-type", "").startswith("multipart/"):
        parts = await _parts(headers, body)
    query: dict[str, list[str]] = {}
    for key, value in QueryParams(scope["query_string"]).multi_items():
        query.setdefault(key, []).append(value)
    path = re.sub(r"^(/api)?(/v1)?(?=/)", "", scope["path"])
    return Got(f"{scope['method']} {path}", query, dict(headers), parts, body)


async def _parts(headers: Headers, body: bytes) -> dict[str, Any]:
    async def stream() -> AsyncGenerator[bytes]:
        yield body

    form = await MultiPartParser(headers, stream(), max_fields=100_000, max_part_size=len(body)).parse()
    return {name: json.loads(value) for name, value in form.multi_items() if isinstance(value, str)}
