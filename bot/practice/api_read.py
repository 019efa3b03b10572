"""Web API: auth.*, apps.*, bots.*, users.*, usergroups.*, and conversations.* except conversations.join."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from bot.practice.api import Method, conversation, require_scope
from bot.practice.board import public
from bot.practice.people import TEAM_ID, TEAM_NAME
from bot.practice.wire import Args, Json, SlackError
from bot.practice.workspace import Workspace

_HISTORY_DEFAULT, _MAX_HISTORY = 100, 999
_T = TypeVar("_T")


def _auth_test(ws: Workspace, _args: Args) -> Json:
    bot = ws.people.bot
    who = {"user": bot.name, "team_id": TEAM_ID, "user_id": bot.id, "bot_id": ws.app.bot_id}
    who |= {"enterprise_id": bot.enterprise_id} if bot.enterprise_id else {}
    return {"url": ws.url, "team": TEAM_NAME, **who, "is_enterprise_install": False}


def _connections_open(ws: Workspace, _args: Args) -> Json:
    query = urlencode({"ticket": ws.sockets.ticket(), "app_id": ws.app.app_id})
    return {"url": f"{ws.url.replace('http', 'ws', 1)}link/?{query}"}


def _bots_info(ws: Workspace, args: Args) -> Json:
    if args.text("bot") != ws.app.bot_id:
        raise SlackError("bot_not_found")
    bot = {"id": ws.app.bot_id, "deleted": False, "name": ws.app.bot_name, "updated": 1790000000}
    return {"bot": bot | {"app_id": ws.app.app_id, "user_id": ws.app.bot_user, "icons": {}}}


def _users_info(ws: Workspace, args: Args) -> Json:
    return {"user": ws.member(args.required("user")).user(include_locale=args.flag("include_locale"))}


def _users_list(ws: Workspace, args: Args) -> Json:
    members = [member.user(include_locale=args.flag("include_locale")) for member in ws.people]
    page, next_page = _page(members, args, 100)
    return {"members": page, "cache_ts": int(ws.clock()), **next_page}


def _usergroups_list(ws: Workspace, args: Args) -> Json:
    return {"usergroups": [group.usergroup(include_users=args.flag("include_users")) for group in ws.people.groups]}


def _usergroup_users(ws: Workspace, args: Args) -> Json:
    return {"users": list(ws.group(args.required("usergroup")).users)}


def _conversations_info(ws: Workspace, args: Args) -> Json:
    channel = conversation(ws, args, "read")
    count = {"num_members": len(channel.members)} if args.flag("include_num_members") else {}
    return {"channel": channel.conversation(ws.app.bot_user) | count}


def _conversations_list(ws: Workspace, args: Args) -> Json:
    kinds = {"public_channel": "channel", "private_channel": "group", "im": "im"}
    wanted = {kinds.get(kind.strip(), kind) for kind in args.text("types", "public_channel").split(",")}
    for kind in wanted & {"channel", "group", "im"}:
        require_scope(ws, {"channel": "channels:read", "group": "groups:read", "im": "im:read"}[kind])
    visible = [one for one in ws.board.channels.values() if one.kind == "channel" or ws.app.bot_user in one.members]
    channels = [one.conversation(ws.app.bot_user) for one in visible if one.kind in wanted]
    page, next_page = _page(channels, args, 100)
    return {"channels": page, **next_page}


def _conversations_members(ws: Workspace, args: Args) -> Json:
    page, next_page = _page(conversation(ws, args, "read").members, args, 100)
    return {"members": page, **next_page}


def _conversations_open(ws: Workspace, args: Args) -> Json:
    if wanted := args.text("channel"):
        channel = ws.board.channel(wanted)
    else:
        users = [user.strip() for user in args.required("users").split(",")]
        if len(users) > 1:
            raise SlackError("method_not_supported_for_channel_type")
        channel = ws.dm(ws.member(users[0]).id)
    full = channel.conversation(ws.app.bot_user)
    return {"channel": full if args.flag("return_im") else {"id": channel.id}}


def _history(ws: Workspace, args: Args) -> Json:
    channel = conversation(ws, args, "history")
    if ws.app.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    newest_first = [
        message for message in reversed(ws.board.channel_messages(channel.id)) if _in_time_range(message, args)
    ]
    return _message_page(newest_first, args, _HISTORY_DEFAULT) | {"pin_count": 0}


def _replies(ws: Workspace, args: Args) -> Json:
    channel = conversation(ws, args, "history")
    if ws.app.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    ts = args.required("ts")
    thread = ws.board.thread(channel.id, ts)
    return _message_page([one for one in thread if one["ts"] == ts or _in_time_range(one, args)], args, 1000)


def _in_time_range(message: Json, args: Args) -> bool:
    ts, oldest, latest = message["ts"], args.text("oldest", "0"), args.text("latest")
    if ts in {oldest, latest}:
        return args.flag("inclusive")
    try:
        return float(oldest) < float(ts) and (not latest or float(ts) < float(latest))
    except ValueError:
        raise SlackError("invalid_ts_latest" if latest else "invalid_ts_oldest") from None


def _message_page(messages: list[Json], args: Args, default: int) -> Json:
    page, next_page = _page(messages, args, default)
    shown = [public(message, metadata=args.flag("include_all_metadata")) for message in page]
    return {"messages": shown, "has_more": bool(next_page["response_metadata"]["next_cursor"]), **next_page}


def _page(items: Sequence[_T], args: Args, default: int) -> tuple[list[_T], Json]:
    """Return one page of the items and its `response_metadata`.

    A cursor names the first item of its page, so that items added before it do not move the page.
    """
    start = _start_index(items, args.text("cursor"))
    end = start + args.number("limit", default, _MAX_HISTORY)
    cursor = base64.b64encode(_cursor_name(items[end]).encode()).decode() if end < len(items) else ""
    return list(items[start:end]), {"response_metadata": {"next_cursor": cursor}}


def _cursor_name(item: object) -> str:
    return f"next:{item.get('ts') or item['id']}" if isinstance(item, dict) else f"next:{item}"


def _start_index(items: Sequence[object], cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return [_cursor_name(item) for item in items].index(base64.b64decode(cursor, validate=True).decode())
    except (binascii.Error, ValueError):
        raise SlackError("invalid_cursor") from None


READ_METHODS = {
    "auth.test": Method(_auth_test),
    "apps.connections.open": Method(_connections_open, app_level=True),
    "bots.info": Method(_bots_info, "users:read"),
    "users.info": Method(_users_info, "users:read"),
    "users.list": Method(_users_list, "users:read"),
    "usergroups.list": Method(_usergroups_list, "usergroups:read"),
    "usergroups.users.list": Method(_usergroup_users, "usergroups:read"),
    "conversations.info": Method(_conversations_info),
    "conversations.list": Method(_conversations_list),
    "conversations.members": Method(_conversations_members),
    "conversations.open": Method(_conversations_open, "im:write"),
    "conversations.history": Method(_history),
    "conversations.replies": Method(_replies),
}
