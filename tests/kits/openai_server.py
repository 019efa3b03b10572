"""A scripted OpenAI-compatible server on loopback: it sends queued replies and records the requests."""

import asyncio
import json
import math
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.kits.running_server import port_of, running_server

CHAT = "POST /v1/chat/completions"
DECISIONS = "POST /v1/decisions"
FILES = "POST /v1/files"
JOBS = "POST /v1/fine_tuning/jobs"


@dataclass(frozen=True)
class Reply:
    """One queued reply.

    Attributes:
        lost: Break the connection instead of answering.
        wait_s: Delay before the reply, in seconds.
    """

    body: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    wait_s: float = 0.0


def refusal(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Reply:
    """Return an error in OpenAI's format. The SDK may retry at once, so tests do not wait for its backoff."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Reply({"error": error}, status, {"retry-after-ms": "1"})


UNKNOWN = Reply({"error": {"message": "Unknown request URL"}}, 404)


@dataclass(frozen=True)
class ReceivedRequest:
    """A received request."""

    route: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed; raises ValueError for a body that is not JSON."""
        return json.loads(self.body)


class OpenAIServer:
    """A server that sends queued replies. The last reply of a route repeats; a route without replies answers 404."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self._queues: dict[str, deque[Reply]] = defaultdict(deque)
        self._last: dict[str, Reply] = {}
        self.url = ""

    def on(self, route: str, *replies: Reply) -> None:
        """Queue replies for a route such as `POST /v1/files`."""
        self._queues[route].extend(replies)

    def otherwise(self, route: str, reply: Reply) -> None:
        """Set the reply of a route until replies are queued for it."""
        self._last.setdefault(route, reply)

    def sent(self, route: str) -> list[ReceivedRequest]:
        """Return the requests to this route, oldest first."""
        return [got for got in self.requests if got.route == route]

    def choose(self, got: ReceivedRequest) -> Reply:
        """Return the reply to a request: the next one in its route's queue."""
        if self._queues[got.route]:
            self._last[got.route] = self._queues[got.route].popleft()
        return self._last.get(got.route, UNKNOWN)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        route = f"{request.method} {request.url.path}"
        got = ReceivedRequest(route, dict(request.query_params), dict(request.headers), await request.body())
        self.requests.append(got)
        reply = self.choose(got)
        await asyncio.sleep(reply.wait_s)
        if reply.lost:
            # The body is shorter than announced, so the server closes the connection and the client sees it break.
            return Response(b"", headers={"content-length": "1"})
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body, ensure_ascii=False)
        return Response(body, reply.status, reply.headers, media_type="application/json")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["OpenAIServer"]:
        """Serve on a free port of loopback; `url` is the base URL for clients."""
        app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST", "DELETE"])])
        async with running_server(app) as server:
            self.url = f"http://127.0.0.1:{port_of(server)}/v1"
            yield self


def completion(
    content: str | None,
    *,
    logprobs: Sequence[tuple[bytes, float]] | None = None,
    finish_reason: str = "stop",
    refused: str | None = None,
) -> Reply:
    """Return a chat completion; `logprobs` are (bytes, log probability) of its tokens."""
    tokens = [
        {"token": raw.decode(errors="replace"), "bytes": list(raw), "logprob": value, "top_logprobs": []}
        for raw, value in logprobs or ()
    ]
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", "content": content, "refusal": refused},
        "logprobs": {"content": tokens, "refusal": None} if logprobs is not None else None,
    }
    return Reply(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132},
        }
    )


def said(category: str, reason: str = "because", *, p: float | None = None) -> Reply:
    """Return a well-formed answer; `p` is the probability of its category, if given."""
    content = json.dumps({"reason": reason, "category": category}, ensure_ascii=False)
    before, _, after = content.rpartition(category)
    tokens = None if p is None else [(before.encode(), 0.0), (category.encode(), math.log(p)), (after.encode(), 0.0)]
    return completion(content, logprobs=tokens)
