"""A scripted server for the page: it answers as a test says and records the page's requests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.kits.running_server import port_of, running_server

PAGE = Path(__file__).parents[4] / "bot/practice/page"
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
Json: TypeAlias = dict[str, Any]


def person(ident: str, name: str, real_name: str, role: str, color: str, locale: str = "en-US") -> Json:
    return {"id": ident, "name": name, "real_name": real_name, "role": role, "color": color, "locale": locale}


EMMA = person("U1", "emma", "Emma Clark", "employee", "#7a4b94")
KENJI = person("U2", "kenji", "田中 健二", "staff", "#2f7d5b", "ja-JP")
ROBOT = person("UB", "madoguchi", "Madoguchi", "app", "#e0a526") | {"is_bot": True}
GENERAL = {
    "id": "C1",
    "name": "general",
    "is_im": False,
    "is_private": False,
    "members": ["U1", "U2", "UB"],
    "topics": {"en": "For *everyone*", "ja": "*全員*へ"},
}
RANDOM = {"id": "C2", "name": "random", "is_im": False, "is_private": True, "members": ["U1", "U2"]}
DIRECT = {"id": "D1", "name": "", "is_im": True, "is_private": True, "user": "UB", "members": ["U1", "UB"]}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def option(text: str, value: str) -> Json:
    return {"text": plain(text), "value": value}


def message(number: int, user: str, text: str, **more: Any) -> Json:
    """Return a message; each number is ten minutes later than the one before."""
    return {"type": "message", "ts": f"{1790000000 + number * 600}.000100", "user": user, "text": text, **more}


class Stub:
    """A scripted server of the page.

    It serves `history` and `replies`, answers each POST path from `answers`, and records POSTs in `requests`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.history: dict[str, list[Json]] = {}
        self.replies: list[Json] = []
        self.answers: dict[str, Json] = {}
        self.requests: list[tuple[str, Json]] = []
        self.answers_released = asyncio.Event()
        """While this event is cleared, POSTs get no answer."""
        self.answers_released.set()
        self.gets = asyncio.Queue[str]()
        """The names of the GETs, in order."""
        self.gets_released = asyncio.Event()
        """While this event is cleared, GETs get no answer. It holds what was there when they came in."""
        self.gets_released.set()
        self._sockets: set[WebSocket] = set()
        self._news = asyncio.Condition()
        self.hello: Json = {
            "type": "hello",
            "people": [EMMA, KENJI],
            "bot": ROBOT,
            "groups": [{"id": "S1", "handle": "desk", "names": {"en": "Help desk", "ja": "窓口"}, "users": ["U2"]}],
            "channels": [GENERAL, RANDOM, DIRECT],
            "commands": [
                {"command": "/finetune", "description": "Look after the model", "usage_hint": "[status | start]"}
            ],
            "shortcuts": [
                {"name": "Ask the desk", "callback_id": "ask", "type": "message", "description": "Classify it"}
            ],
            "connected": True,
        }

    async def push(self, **frame: Any) -> None:
        """Send one frame to every open page."""
        for socket in list(self._sockets):
            await socket.send_json(frame)

    async def cut(self) -> None:
        """Close every page's socket, as a server restart does."""
        for socket in list(self._sockets):
            await socket.close(1012)

    async def wait_for_request(self, path: str, fits: Callable[[Json], bool] = lambda _: True) -> Json:
        """Wait for a POST to `path` whose body `fits` accepts, and return the newest such body."""

        def found() -> Json | None:
            return next((body for sent_path, body in reversed(self.requests) if sent_path == path and fits(body)), None)

        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: found() is not None)
        body = found()
        assert body is not None
        return body

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        user = socket.query_params.get("user", "U1")
        found = next((one for one in self.hello["people"] if one["id"] == user), None)
        if found is None:
            await socket.close()
            return
        await socket.send_json(self.hello | {"user": found})
        self._sockets.add(socket)
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            self._sockets.discard(socket)

    async def _get(self, request: Request) -> Response:
        name = request.path_params["name"]
        messages = self.replies if name == "replies" else self.history.get(request.query_params["channel"], [])
        answer = JSONResponse({"ok": True, "messages": messages})
        self.gets.put_nowait(name)
        await self.gets_released.wait()
        return answer

    async def _post(self, request: Request) -> Response:
        path = request.path_params["path"]
        async with self._news:
            self.requests.append((path, await request.json()))
            self._news.notify_all()
        await self.answers_released.wait()
        return JSONResponse(self.answers.get(path, {"ok": True, "ts": "1"}))

    async def _index(self, _request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={"Content-Security-Policy": POLICY})

    def app(self) -> Starlette:
        routes = [
            Route("/", self._index),
            Mount("/page/static", StaticFiles(directory=PAGE)),
            WebSocketRoute("/page/socket", self._socket),
            Route("/page/{name:str}", self._get, methods=["GET"]),
            Route("/page/{path:path}", self._post, methods=["POST"]),
        ]
        return Starlette(routes=routes)


@pytest_asyncio.fixture(loop_scope="session")
async def stub() -> AsyncIterator[Stub]:
    """Serve a stub on a free port of loopback."""
    stub = Stub()
    async with running_server(stub.app(), ws="websockets-sansio") as server:
        stub.url = f"http://127.0.0.1:{port_of(server)}"
        yield stub
