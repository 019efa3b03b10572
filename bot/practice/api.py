"""Request handling of the Web API: injected faults, arguments, tokens and scopes, and the answer of a method."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot.practice.faults import InjectedFault
from bot.practice.people import Channel
from bot.practice.wire import Args, Json, SlackError, new_id, read_args, refuse_other_shapes
from bot.practice.workspace import Workspace


@dataclass(frozen=True)
class Method:
    """A Web API method. `scope` is the bot scope it needs ("" = none); `app_level` methods need the app token."""

    run: Callable[[Workspace, Args], Json]
    scope: str = ""
    app_level: bool = False


class WebApi:
    """The handler of `/api/<method>`.

    Args:
        ws: The workspace.
        methods: All methods by name.
        cut: Closes the connection of a request without a response.
    """

    def __init__(self, ws: Workspace, methods: dict[str, Method], cut: Callable[[Request], None]) -> None:
        self._ws = ws
        self._methods = methods
        self._cut = cut

    async def answer(self, request: Request) -> Response:
        name = request.path_params["method"]
        fault = self._ws.faults.take(name)
        if fault.status != 200:
            return self._fault_response(request, fault)
        try:
            args = await read_args(request)
            if fault.hold_call:
                await fault.hold_call.wait()
            with refuse_other_shapes():
                answer = {"ok": True} | self._run(name, args, _token(request, args))
        except SlackError as refusal:
            answer = refusal.body()
        if fault.hold:
            await fault.hold.wait()
        if fault.drop:
            self._cut(request)
        scopes = ",".join(sorted(self._ws.app.scopes))
        return JSONResponse(answer, headers={"x-oauth-scopes": scopes, "x-slack-req-id": new_id("R")})

    def _fault_response(self, request: Request, fault: InjectedFault) -> Response:
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
            require_scope(self._ws, method.scope)
        return method.run(self._ws, args)


def _token(request: Request, args: Args) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else args.text("token")


def require_scope(ws: Workspace, scope: str) -> None:
    """Check that the manifest grants a scope.

    Raises:
        SlackError: `missing_scope`, with the needed and the granted scopes.
    """
    if scope not in ws.app.scopes:
        raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(ws.app.scopes)))


_SCOPE_PREFIX = {"channel": "channels", "group": "groups", "im": "im"}


def conversation(ws: Workspace, args: Args, right: str) -> Channel:
    """Return the conversation that `channel` names.

    Args:
        ws: The workspace.
        args: The arguments of the call.
        right: The second half of the scope, `read` or `history`; the first half follows from the conversation's kind.

    Raises:
        SlackError: `channel_not_found`, also for a private channel or DM without the bot; `missing_scope`.
    """
    channel = ws.board.channel(args.text("channel"))
    if channel.kind != "channel" and ws.app.bot_user not in channel.members:
        raise SlackError("channel_not_found")
    require_scope(ws, f"{_SCOPE_PREFIX[channel.kind]}:{right}")
    return channel
