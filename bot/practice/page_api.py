"""The page's protocol: what a sample person sees and does. Every answer has `ok`; a failure has `error` and `text`."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from bot.practice import chat, interactions
from bot.practice.board import public
from bot.practice.people import Channel, Member
from bot.practice.wire import Args, Json, SlackError, read_args
from bot.practice.workspace import Workspace

_WORDS = {
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
_FAILED = ("うまくいきませんでした({error})。", "That did not work ({error}).")
_LOCALES = {"ja-JP", "en-US"}
PageCall = Callable[[Workspace, Member, Args], Awaitable[Json]]


def _channel(ws: Workspace, member: Member, args: Args) -> Channel:
    channel = ws.board.channel(args.text("channel"))
    if member.id not in channel.members:
        raise SlackError("channel_not_found")
    return channel


def _merged(messages: list[Json], own: list[Json]) -> Json:
    return {"messages": sorted((public(message) for message in [*messages, *own]), key=lambda message: message["ts"])}


async def _history(ws: Workspace, member: Member, args: Args) -> Json:
    channel = _channel(ws, member, args)
    return _merged(ws.board.top(channel.id), ws.board.whispered(channel.id, member.id, None))


async def _replies(ws: Workspace, member: Member, args: Args) -> Json:
    channel, ts = _channel(ws, member, args), args.need("ts")
    return _merged(ws.board.thread(channel.id, ts), ws.board.whispered(channel.id, member.id, ts))


async def _post(ws: Workspace, member: Member, args: Args) -> Json:
    channel = _channel(ws, member, args)
    files = [_named_file(ws, member, str(name)) for name in args.values.get("file_names") or []]
    message = chat.say(ws, member.id, channel, args.text("text"), args.text("thread_ts"), files)
    return {"ts": message["ts"]}


def _named_file(ws: Workspace, member: Member, name: str) -> Json:
    # The page sends a file's name and no bytes: what the app is told of an attachment is the same.
    file_id, path = ws.files.announce(name, 0, member.id, ws.url)
    ws.files.receive(path.rpartition("/")[2], b"")
    return ws.files.get(file_id)


async def _edit(ws: Workspace, member: Member, args: Args) -> Json:
    chat.edit(ws, member.id, _channel(ws, member, args), args.need("ts"), args.text("text"))
    return {}


async def _delete(ws: Workspace, member: Member, args: Args) -> Json:
    chat.delete(ws, member.id, _channel(ws, member, args), args.need("ts"))
    return {}


async def _react(ws: Workspace, member: Member, args: Args) -> Json:
    chat.react(ws, member.id, _channel(ws, member, args), args.need("ts"), args.need("name"), on=args.flag("on"))
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
    await interactions.command(ws, member, args.need("channel"), args.need("text"))
    return {}


async def _shortcut(ws: Workspace, member: Member, args: Args) -> Json:
    await interactions.shortcut(ws, member, args.need("callback_id"), args.text("channel"), args.text("ts"))
    return {}


async def _submit(ws: Workspace, member: Member, args: Args) -> Json:
    entered = (args.values.get("state") or {}).get("values") or {}
    errors = await interactions.submit(ws, member, args.need("view_id"), entered)
    return {"ok": False, "errors": errors} if errors else {}


async def _close(ws: Workspace, member: Member, args: Args) -> Json:
    await interactions.close(ws, member, args.need("view_id"))
    return {}


async def _home(ws: Workspace, member: Member, _args: Args) -> Json:
    interactions.open_home(ws, member, "home")
    return {}


async def _dm(ws: Workspace, member: Member, _args: Args) -> Json:
    interactions.open_home(ws, member, "messages")
    return {"channel": ws.dm(member.id).card()}


async def _locale(ws: Workspace, member: Member, args: Args) -> Json:
    if args.text("locale") not in _LOCALES:
        raise SlackError("invalid_locale")
    member.locale = args.text("locale")
    ws.audience.tell({"type": "person", "person": member.face()})
    ws.emit({"type": "user_change", "user": member.user(include_locale=True), "event_ts": ws.board.ts()})
    ws.touch()
    return {}


_GET: dict[str, PageCall] = {"history": _history, "replies": _replies}
_POST: dict[str, PageCall] = {
    "messages": _post,
    "messages/edit": _edit,
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
    """Return the first frame of a window: all that this person may know of the workspace."""
    commands = [{key: one.get(key, "") for key in ("command", "description", "usage_hint")} for one in ws.app.commands]
    keys = ("name", "callback_id", "type", "description")
    return {
        "type": "hello",
        "user": member.face(),
        "bot": ws.people.bot.face(),
        "people": [one.face() for one in ws.people.acting],
        "groups": [
            {"id": one.id, "handle": one.handle, "name": one.name, "users": one.users} for one in ws.people.groups
        ],
        "channels": [channel.card() for channel in ws.board.seen_by(member.id)],
        "commands": commands,
        "shortcuts": [{key: one.get(key, "") for key in keys} for one in ws.app.shortcuts],
        "connected": ws.delivery.connected > 0,
    }


def routes(ws: Workspace) -> list[Route | WebSocketRoute]:
    """Return the routes of the page protocol."""

    def endpoint(verb: PageCall) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            member = None
            try:
                args = await read_args(request)
                member = _person(ws, args)
                return JSONResponse({"ok": True} | await verb(ws, member, args))
            except SlackError as refusal:
                return JSONResponse(_refused(refusal.error, member))

        return run

    async def window(socket: WebSocket) -> None:
        member = ws.people.get(socket.query_params.get("user", ""))
        if member not in ws.people.acting:  # the address as it is printed names nobody
            member = _newcomer(ws, socket.headers.get("accept-language", ""))
        await ws.audience.attend(socket, member.id, lambda: hello(ws, member))

    async def file(request: Request) -> Response:
        try:
            held, content = ws.files.get(request.path_params["file"]), ws.files.content(request.path_params["file"])
        except SlackError as refusal:
            return JSONResponse(_refused(refusal.error, None), 404)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(held['name'])}"}
        return Response(content, media_type=held["mimetype"], headers=headers)

    verbs = [(f"/page/{path}", verb, "GET") for path, verb in _GET.items()]
    verbs += [(f"/page/{path}", verb, "POST") for path, verb in _POST.items()]
    return [
        *(Route(path, endpoint(verb), methods=[way]) for path, verb, way in verbs),
        Route("/page/files/{file}", file),
        WebSocketRoute("/page/socket", window),
    ]


def _newcomer(ws: Workspace, languages: str) -> Member:
    """Who somebody is at first: one who speaks as their browser does, for page and bot speak as the person does."""
    japanese = not languages or languages.lower().startswith("ja")
    alike = (one for one in ws.people.acting if one.locale.startswith("ja") is japanese)
    return next(alike, ws.people.acting[0])


def _person(ws: Workspace, args: Args) -> Member:
    member = ws.member(args.text("user"))
    if member not in ws.people.acting:
        raise SlackError("user_not_found")
    return member


def _refused(error: str, member: Member | None) -> Json:
    words = _WORDS.get(error, _FAILED)[0 if member and member.locale.startswith("ja") else 1]
    return {"ok": False, "error": error, "text": words.format(error=error)}
