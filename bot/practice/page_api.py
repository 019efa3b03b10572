"""The protocol between page and server. Every answer has `ok`; a failed one also has `error` and `text`."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bot.practice import chat, forwarding, interactions
from bot.practice.board import public
from bot.practice.people import Channel, Member
from bot.practice.wire import Args, Json, SlackError, read_args, refuse_other_shapes
from bot.practice.workspace import Workspace

_ERROR_TEXTS = {
    "operation_timeout": (
        "3秒以内に応答がありませんでした。",
        "The app did not answer within 3 seconds.",
    ),
    "dispatch_failed": ("アプリが接続されていません。", "No app is connected."),
    "invalid_command": ("そのコマンドはありません。", "There is no such command."),
    "stale_action": ("この操作はもうできません。", "This can no longer be done."),
    "not_in_channel": ("このチャンネルのメンバーではありません。", "You are not in this channel."),
    "no_text": ("メッセージが空です。", "The message is empty."),
    "msg_too_long": ("メッセージが長すぎます。", "The message is too long."),
    "cant_update_message": ("自分のメッセージだけを編集できます。", "You can edit only your own messages."),
    "cant_delete_message": ("自分のメッセージだけを削除できます。", "You can delete only your own messages."),
}
_OTHER_ERROR = ("うまくいきませんでした({error})。", "That did not work ({error}).")
_LOCALES = {"ja-JP", "en-US"}
PageCall = Callable[[Workspace, Member, Args], Awaitable[Json]]


def _channel(ws: Workspace, member: Member, args: Args) -> Channel:
    channel = ws.board.channel(args.text("channel"))
    if member.id not in channel.members:
        raise SlackError("channel_not_found")
    return channel


def _sorted_messages(messages: list[Json], own: list[Json]) -> Json:
    return {"messages": sorted((public(message) for message in [*messages, *own]), key=lambda message: message["ts"])}


async def _history(ws: Workspace, member: Member, args: Args) -> Json:
    channel = _channel(ws, member, args)
    return _sorted_messages(
        ws.board.channel_messages(channel.id), ws.board.ephemeral_messages(channel.id, member.id, None)
    )


async def _replies(ws: Workspace, member: Member, args: Args) -> Json:
    channel, ts = _channel(ws, member, args), args.required("ts")
    return _sorted_messages(ws.board.thread(channel.id, ts), ws.board.ephemeral_messages(channel.id, member.id, ts))


async def _post(ws: Workspace, member: Member, args: Args) -> Json:
    channel = _channel(ws, member, args)
    files = [_bare_file(ws, member, given) for given in args.values.get("files") or []]
    message = chat.say(ws, member.id, channel, args.text("text"), args.text("thread_ts"), files=files)
    return {"ts": message["ts"]}


async def _forward(ws: Workspace, member: Member, args: Args) -> Json:
    original = ws.board.channel(args.required("from_channel")), args.required("from_ts")
    target = _channel(ws, member, args), args.text("thread_ts")
    return {"ts": forwarding.forward(ws, member.id, original, target, args.text("text"))["ts"]}


def _bare_file(ws: Workspace, member: Member, given: Json) -> Json:
    # The page sends a file without its bytes: the app's event for an attachment is the same without them.
    file_id, path = ws.files.announce(str(given["name"]), 0, member.id, ws.url)
    ws.files.receive(path.rpartition("/")[2], b"")
    file = ws.files.get(file_id)
    file["size"] = int(given.get("size", 0))
    return file


async def _edit(ws: Workspace, member: Member, args: Args) -> Json:
    chat.edit(ws, member.id, _channel(ws, member, args), args.required("ts"), args.text("text"))
    return {}


async def _delete(ws: Workspace, member: Member, args: Args) -> Json:
    chat.delete(ws, member.id, _channel(ws, member, args), args.required("ts"))
    return {}


async def _react(ws: Workspace, member: Member, args: Args) -> Json:
    chat.react(
        ws, member.id, _channel(ws, member, args), args.required("ts"), args.required("name"), on=args.flag("on")
    )
    return {}


async def _act(ws: Workspace, member: Member, args: Args) -> Json:
    place, given = args.values["container"], args.values["action"]
    entered = (args.values.get("state") or {}).get("values") or {}
    if place["type"] == "view":
        await interactions.press_in_view(ws, member, place["view_id"], given, entered)
    else:
        await interactions.press_in_message(ws, member, place, given, entered)
    return {}


async def _command(ws: Workspace, member: Member, args: Args) -> Json:
    await interactions.command(ws, member, args.required("channel"), args.required("text"))
    return {}


async def _shortcut(ws: Workspace, member: Member, args: Args) -> Json:
    await interactions.shortcut(ws, member, args.required("callback_id"), args.text("channel"), args.text("ts"))
    return {}


async def _submit(ws: Workspace, member: Member, args: Args) -> Json:
    entered = (args.values.get("state") or {}).get("values") or {}
    errors = await interactions.submit(ws, member, args.required("view_id"), entered)
    return {"ok": False, "errors": errors} if errors else {}


async def _close(ws: Workspace, member: Member, args: Args) -> Json:
    await interactions.close(ws, member, args.required("view_id"))
    return {}


async def _home(ws: Workspace, member: Member, _args: Args) -> Json:
    interactions.open_home(ws, member, "home")
    return {}


async def _dm(ws: Workspace, member: Member, _args: Args) -> Json:
    interactions.open_home(ws, member, "messages")
    return {"channel": ws.dm(member.id).summary()}


async def _locale(ws: Workspace, member: Member, args: Args) -> Json:
    if args.text("locale") not in _LOCALES:
        raise SlackError("invalid_locale")
    member.locale = args.text("locale")
    ws.windows.tell({"type": "person", "person": member.summary()})
    ws.emit({"type": "user_change", "user": member.user(include_locale=True), "event_ts": ws.board.ts()})
    ws.save_soon()
    return {}


_GET: dict[str, PageCall] = {"history": _history, "replies": _replies}
_POST: dict[str, PageCall] = {
    "messages": _post,
    "messages/edit": _edit,
    "messages/forward": _forward,
    "messages/delete": _delete,
    "reactions": _react,
    "actions": _act,
    "commands": _command,
    "shortcuts": _shortcut,
    "views/submit": _submit,
    "views/close": _close,
    "home": _home,
    "dms": _dm,
    "locale": _locale,
}


def hello(ws: Workspace, member: Member) -> Json:
    """Return the first frame of a window, with everything that this person may see of the workspace."""
    commands = [{key: one.get(key, "") for key in ("command", "description", "usage_hint")} for one in ws.app.commands]
    keys = ("name", "callback_id", "type", "description")
    return {
        "type": "hello",
        "user": member.summary(),
        "bot": ws.people.bot.summary(),
        "people": [one.summary() for one in ws.people.acting],
        "groups": [one.summary() for one in ws.people.groups],
        "channels": [channel.summary() for channel in ws.board.channels_of(member.id)],
        "commands": commands,
        "shortcuts": [{key: one.get(key, "") for key in keys} for one in ws.app.shortcuts],
        "connected": ws.delivery.connected > 0,
    }


def routes(ws: Workspace) -> list[Route | WebSocketRoute]:
    """Return the routes of the page's protocol."""

    def endpoint(verb: PageCall) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            member = None
            try:
                args = await read_args(request)
                with refuse_other_shapes():
                    member = _acting_person(ws, args)
                    return JSONResponse({"ok": True} | await verb(ws, member, args))
            except SlackError as refusal:
                return JSONResponse(_error_body(refusal.error, member))

        return run

    async def window(socket: WebSocket) -> None:
        member = ws.people.get(socket.query_params.get("user", ""))
        if member not in ws.people.acting:  # the printed address names no person
            member = _default_person(ws, socket.headers.get("accept-language", ""))
        await ws.windows.serve_socket(socket, member.id, lambda: hello(ws, member))

    async def file(request: Request) -> Response:
        try:
            held, content = ws.files.get(request.path_params["file"]), ws.files.content(request.path_params["file"])
        except SlackError as refusal:
            return JSONResponse(_error_body(refusal.error, None), 404)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(held['name'])}"}
        return Response(content, media_type=held["mimetype"], headers=headers)

    verbs = [(f"/page/{path}", verb, "GET") for path, verb in _GET.items()]
    verbs += [(f"/page/{path}", verb, "POST") for path, verb in _POST.items()]
    return [
        *(Route(path, endpoint(verb), methods=[way]) for path, verb, way in verbs),
        Route("/page/files/{file}", file),
        WebSocketRoute("/page/socket", window),
    ]


def _default_person(ws: Workspace, languages: str) -> Member:
    """Return a person who speaks the browser's language, because page and bot use the language of the person."""
    japanese = not languages or languages.lower().startswith("ja")
    same_language = (one for one in ws.people.acting if one.locale.startswith("ja") is japanese)
    return next(same_language, ws.people.acting[0])


def _acting_person(ws: Workspace, args: Args) -> Member:
    member = ws.member(args.text("user"))
    if member not in ws.people.acting:
        raise SlackError("user_not_found")
    return member


def _error_body(error: str, member: Member | None) -> Json:
    texts = _ERROR_TEXTS.get(error, _OTHER_ERROR)[0 if member and member.locale.startswith("ja") else 1]
    return {"ok": False, "error": error, "text": texts.format(error=error)}
