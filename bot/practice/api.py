"""The Web API's front: arguments, faults, tokens, scopes; then the method; then Slack's way of answering."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot.practice.faults import InjectedFault
from bot.practice.people import Channel
from bot.practice.wire import Args, Json, SlackError, new_id, read_args
from bot.practice.workspace import Workspace


@dataclass(frozen=True)
class Method:
    """A method, the bot scope that it takes ("" = none), and whether it is for the app-level token instead."""

    run: Callable[[Workspace, Args], Json]
    scope: str = ""
    app_level: bool = False


class WebApi:
    """Answers `/api/<method>`.

    Args:
        ws: the workspace that is asked about and written to.
        methods: all methods by name.
        cut: cuts the connection that a request came in on, without a word.
    """

    def __init__(self, ws: Workspace, methods: dict[str, Method], cut: Callable[[Request], None]) -> None:
        self._ws = ws
        self._methods = methods
        self._cut = cut

    async def answer(self, request: Request) -> Response:
        name = request.path_params["method"]
        fault = self._ws.faults.take(name)
        if fault.status != 200:
            return self._trouble(request, fault)
        try:
            args = await read_args(request)
            if fault.hold_call:
                await fault.hold_call.wait()
            answer = {"ok": True} | self._run(name, args, _token(request, args))
        except SlackError as refusal:
            answer = refusal.body()
        if fault.hold:
            await fault.hold.wait()
        if fault.drop:
            self._cut(request)
        scopes = ",".join(sorted(self._ws.app.scopes))
        return JSONResponse(answer, headers={"x-oauth-scopes": scopes, "x-slack-req-id": new_id("R")})

    def _trouble(self, request: Request, fault: InjectedFault) -> Response:
        if fault.drop:
            self._cut(request)
        if fault.status == 429:
            headers = {"retry-after": str(fault.retry_after)}
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, headers)
        return PlainTextResponse("Service Unavailable", fault.status or 500)

    def _run(self, name: str, args: Args, token: str) -> Json:
        if not token:
            raise SlackError("not_authed")
        if token not in {self._ws.bot_token, self._ws.app_token}:
            raise SlackError("invalid_auth")
        method = self._methods.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        if name != "auth.test" and method.app_level != (token == self._ws.app_token):
            raise SlackError("not_allowed_token_type")
        if method.scope:
            require(self._ws, method.scope)
        return method.run(self._ws, args)


def _token(request: Request, args: Args) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else args.text("token")


def require(ws: Workspace, scope: str) -> None:
    """Raise `missing_scope`, with what is needed and what was granted, unless the manifest has the scope."""
    if scope not in ws.app.scopes:
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(ws.app.scopes)))


_PREFIX = {"channel": "channels", "group": "groups", "im": "im"}


def conversation(ws: Workspace, args: Args, right: str) -> Channel:
    """Return the conversation that is asked about, if the scopes give the right (`read`, `history`) to its kind."""
    channel = ws.board.channel(args.text("channel"))
    if channel.kind != "channel" and ws.app.bot_user not in channel.members:
        raise SlackError("channel_not_found")
    require(ws, f"{_PREFIX[channel.kind]}:{right}")
    return channel
