"""The loopback server: the routes of the stand-in and the check of the caller's origin."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from bot.practice import api_chat, api_files, api_read, api_views, chat, page_api
from bot.practice.api import WebApi
from bot.practice.faults import InjectedFaults
from bot.practice.sample import Channels, SamplePeople
from bot.practice.wire import SlackError, read_args, refuse_other_shapes
from bot.practice.workspace import Workspace

_HOST = "127.0.0.1"
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
_OWN_SITES = frozenset({"none", "same-origin"})
"""Values of `Sec-Fetch-Site` for requests that a person typed, or that the page itself sent."""
_PAGE = Path(__file__).parent / "page"
_END_POLL = 0.005
"""Seconds between two looks at the connections that end."""
_ACCEPTING_TURNS = 3
"""Turns of the event loop in which a connection that was just accepted reaches its protocol."""
_METHODS = api_chat.CHAT_METHODS | api_files.FILE_METHODS | api_read.READ_METHODS | api_views.VIEW_METHODS


@dataclass(frozen=True)
class Server:
    """A running stand-in. `api_url` is slack_sdk's `base_url`; each workspace has new tokens."""

    workspace: Workspace
    url: str
    api_url: str
    bot_token: str
    app_token: str

    @property
    def people(self) -> SamplePeople:
        return self.workspace.people

    @property
    def channels(self) -> Channels:
        return self.workspace.sample

    @property
    def faults(self) -> InjectedFaults:
        """Return the fault injection of the workspace."""
        return self.workspace.faults

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to close its sockets; the reasons are those of `SocketMode.disconnect`."""
        await self.workspace.sockets.disconnect(reason)

    @property
    def signing_secret(self) -> str:
        """Return the secret that signs requests in HTTP mode."""
        return self.workspace.requests.signing_secret

    async def send_to(self, url: str) -> None:
        """Switch to HTTP mode with this request URL.

        Raises:
            NotAckedError: Nothing answers at the URL, or the answer does not repeat the challenge.
        """
        await self.workspace.requests.verify(url)

    async def drop_sockets(self) -> None:
        """Close the app's sockets without a `disconnect` frame."""
        await self.workspace.sockets.drop()

    def stranger_says(self, channel: str, text: str) -> str:
        """Post a message as `people.stranger`, who works for a partner company; return its ts."""
        return str(chat.say_as_stranger(self.workspace, self.workspace.board.channel(channel), text)["ts"])

    def other_bot_says(self, channel: str, text: str) -> str:
        """Post a message as another app; return its ts."""
        return str(chat.say_as_other_bot(self.workspace, self.workspace.board.channel(channel), text)["ts"])


@contextlib.asynccontextmanager
async def serve(workspace: Workspace, port: int = 0, routes: Sequence[BaseRoute] = ()) -> AsyncIterator[Server]:
    """Serve a workspace on 127.0.0.1 until the block ends.

    Args:
        workspace: The workspace to serve.
        port: The TCP port; 0 takes any free one.
        routes: Extra routes of the calling program, beside the stand-in's own.

    Raises:
        OSError: The port is taken.
    """
    listener = _listen(port)
    workspace.url = f"http://{_HOST}:{listener.getsockname()[1]}/"
    server = _Uvicorn(workspace, routes)
    serving = asyncio.ensure_future(server.serve([listener]))
    await server.ready.wait()
    try:
        yield Server(workspace, workspace.url, f"{workspace.url}api/", workspace.bot_token, workspace.app_token)
    finally:
        await workspace.sockets.aclose()
        await workspace.requests.aclose()
        server.stopped.set()
        await serving
        workspace.save()


async def stop_accepting(servers: Sequence[asyncio.Server]) -> None:
    """Close the listeners of servers, after each connection that was accepted has reached its protocol.

    asyncio drops a connection without closing it if its server is closed between the two.
    """
    loop = asyncio.get_running_loop()
    for server in servers:
        for listener in server.sockets:
            loop.remove_reader(listener)
    for _ in range(_ACCEPTING_TURNS):
        await asyncio.sleep(0)
    for server in servers:
        server.close()


def _listen(port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm, which delays each request by 40 ms, only if the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"port {port} of {_HOST} is taken; choose another one") from None
    return listener


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handlers: the program that opened the workspace stops it."""

    def __init__(self, workspace: Workspace, routes: Sequence[BaseRoute]) -> None:
        app = _application(workspace, self.cut, routes)
        config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_config=None, access_log=False)
        config.timeout_graceful_shutdown, config.proxy_headers, config.ws_per_message_deflate = 1, False, False
        # A browser keeps idle connections for some minutes; a press must not use one that the server is closing.
        config.timeout_keep_alive = 600
        super().__init__(config)
        self.ready, self.stopped = asyncio.Event(), asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Wait for `stopped`, instead of uvicorn's loop, which polls ten times a second."""
        await self.stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests end within the grace, then abort what is left. Uvicorn's own shutdown takes 0.1 s at least."""
        state = self.server_state
        await stop_accepting(self.servers)
        for listener in sockets or []:
            listener.close()
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while state.connections or state.tasks:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(_END_POLL)
        for task in list(state.tasks):
            task.cancel()
        for connection in list(state.connections):
            connection.transport.abort()  # else its socket would stay open until it is collected
        await asyncio.gather(*state.tasks, return_exceptions=True)

    def cut(self, request: Request) -> None:
        """Close the connection of a request without a response; a test can ask for this fault."""
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport and request.client and transport.get_extra_info("peername") == tuple(request.client):
                transport.abort()


def _application(ws: Workspace, cut: Callable[[Request], None], extra_routes: Sequence[BaseRoute]) -> ASGIApp:
    async def upload(request: Request) -> Response:
        return await api_files.upload(ws, request)

    async def download(request: Request) -> Response:
        return await api_files.download(ws, request)

    async def respond(request: Request) -> Response:
        return await _respond(ws, request)

    async def link(socket: WebSocket) -> None:
        await ws.sockets.serve_socket(socket)

    app = Starlette(
        routes=[
            Route("/", _index),
            Mount("/page/static", StaticFiles(directory=_PAGE, check_dir=False)),
            *page_api.routes(ws),
            Route("/api/{method:path}", WebApi(ws, _METHODS, cut).answer, methods=["GET", "POST"]),
            Route("/upload/v1/{ticket}", upload, methods=["POST", "PUT"]),
            Route("/files-pri/{file}/{name:path}", download),
            Route("/actions/{team}/{number}/{secret}", respond, methods=["POST"]),
            Route("/archives/{channel}/{message}", _archive),
            WebSocketRoute("/link/", link),
            *extra_routes,
        ]
    )
    return _LoopbackOnly(app, ws)


async def _index(_request: Request) -> Response:
    return FileResponse(_PAGE / "index.html", headers={"content-security-policy": _POLICY, "cache-control": "no-cache"})


async def _archive(request: Request) -> Response:
    place = request.path_params
    return RedirectResponse(f"/?channel={place['channel']}&ts={place['message'].lstrip('p')}", 302)


async def _respond(ws: Workspace, request: Request) -> Response:
    key = f"{request.path_params['number']}/{request.path_params['secret']}"
    try:
        args = await read_args(request)
        with refuse_other_shapes():
            api_chat.respond(ws, key, dict(args.values))
    except SlackError as refusal:
        return JSONResponse(refusal.body(), 404 if refusal.error in {"expired_url", "used_url"} else 400)
    return PlainTextResponse("ok")


def _is_followed_link(scope: Scope, headers: Headers) -> bool:
    """Return whether a browser opens a page by a link that stands on another site."""
    to_page = scope["path"] == "/" or scope["path"].startswith("/archives/")
    opens = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return to_page and opens and scope.get("method") == "GET"


class _LoopbackOnly:
    """Middleware that refuses what a web site could send through a person's browser.

    That is a foreign Host (as after DNS rebinding), a foreign Origin, and a request that the browser itself calls one
    of another site. A link to the page may be followed from anywhere.
    """

    def __init__(self, app: ASGIApp, ws: Workspace) -> None:
        self._app = app
        self._ws = ws
        self._own = urlsplit(ws.url).port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        # `url` may have become the address of a front, such as one that speaks TLS.
        ports = (self._own, urlsplit(self._ws.url).port)
        hosts = {f"{name}:{port}" for name in (_HOST, "localhost") for port in ports}
        origin = headers.get("origin")
        own = headers.get("host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)
        if own and (headers.get("sec-fetch-site", "none") in _OWN_SITES or _is_followed_link(scope, headers)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close()
        else:
            refusal = {
                "ok": False,
                "error": "forbidden_origin",
                "text": "Only its own page may call this.",
            }
            await JSONResponse(refusal, 403)(scope, receive, send)
