"""What a person does with the app: presses, submits, commands, shortcuts; built, sent and answered as Slack does.

Each verb raises `SlackError`: `dispatch_failed` when no app is connected, `operation_timeout` when it did not
ack within `Timing.ack` (interactions are never sent twice).
"""

from typing import Literal

from bot.practice import chat, state
from bot.practice.blocks import check_message, check_view
from bot.practice.board import copied, public
from bot.practice.delivery import NotAckedError
from bot.practice.people import TEAM_DOMAIN, TEAM_ID, Channel, Member
from bot.practice.text import escaped
from bot.practice.wire import Json, SlackError
from bot.practice.workspace import Workspace

_REQUIRED = {"ja-JP": "この項目は必須です。", "en-US": "Please complete this required field."}


async def _send(ws: Workspace, kind: Literal["interactive", "slash_commands"], payload: Json, *, answers: bool) -> Json:
    if not ws.delivery.connected:
        raise SlackError("dispatch_failed")
    try:
        return await ws.delivery.ask(kind, copied(payload), accepts_response_payload=answers) or {}
    except NotAckedError:
        raise SlackError("operation_timeout") from None


def _frame(ws: Workspace, kind: str, member: Member, *, root_view_id: str = "") -> Json:
    user = {"id": member.id, "username": member.name, "name": member.name, "team_id": TEAM_ID}
    team = {"id": TEAM_ID, "domain": TEAM_DOMAIN}
    frame: Json = {"type": kind, "user": user, "api_app_id": ws.app.app_id, "token": "practice", "team": team}
    trigger_id = ws.hooks.trigger(member.id, root_view_id)
    return frame | {"trigger_id": trigger_id, "enterprise": None, "is_enterprise_install": False}


def _place(channel: Channel) -> Json:
    name = "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name
    return {"id": channel.id, "name": name}


def _response_url(ws: Workspace, key: str) -> str:
    return f"{ws.url}actions/{TEAM_ID}/{key}"


async def press_in_message(ws: Workspace, member: Member, place: Json, given: Json, entered: Json) -> None:
    """Send `block_actions` of a message: a button, or a choice in a select. Raise `stale_action` if it is not there."""
    channel = _channel_of(ws, member, place["channel"])
    ts = place["ts"]
    whispered = ws.board.whispers.get(channel.id, {}).get(ts)
    ephemeral = whispered is not None and whispered[0] == member.id
    message = whispered[1] if whispered and ephemeral else ws.board.message(channel.id, ts)
    action = _action(ws, message["blocks"], given) or _action(ws, ws.board.former_blocks(channel.id, ts), given)
    if action is None:
        raise SlackError("stale_action")
    thread_ts = message.get("thread_ts", "")
    container = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    hook = ws.hooks.hook(member.id, channel.id, ts, thread_ts, ephemeral=ephemeral)
    payload = _frame(ws, "block_actions", member) | {
        "container": container | ({"thread_ts": thread_ts} if thread_ts else {}),
        "channel": _place(channel),
        "state": {"values": state.values(message["blocks"], _with(entered, given))},
        "response_url": _response_url(ws, hook),
        "actions": [action],
    }
    await _send(ws, "interactive", payload | ({} if ephemeral else {"message": public(message)}), answers=False)


async def press_in_view(ws: Workspace, member: Member, view_id: str, given: Json, entered: Json) -> None:
    """Send `block_actions` of a modal or an App Home."""
    view = _view_of(ws, member, view_id)
    action = _action(ws, view["blocks"], given)
    if action is None:
        raise SlackError("stale_action")
    shown = view | {"state": {"values": state.values(view["blocks"], _with(entered, given))}}
    payload = _frame(ws, "block_actions", member, root_view_id=view["root_view_id"])
    payload |= {"container": {"type": "view", "view_id": view_id}, "view": shown, "actions": [action]}
    await _send(ws, "interactive", payload, answers=False)


def _action(ws: Workspace, blocks: list[Json], given: Json) -> Json | None:
    element = state.find(blocks, given.get("block_id", ""), given.get("action_id", ""))
    return state.acted(element, given, given["block_id"], ws.board.ts()) if element else None


def _with(entered: Json, given: Json) -> Json:
    block_id = given.get("block_id", "")
    return entered | {block_id: entered.get(block_id, {}) | {given.get("action_id", ""): given}}


def _channel_of(ws: Workspace, member: Member, channel_id: str) -> Channel:
    channel = ws.board.channel(channel_id)
    if member.id not in channel.members:
        raise SlackError("channel_not_found")
    return channel


def _view_of(ws: Workspace, member: Member, view_id: str) -> Json:
    owner, view = ws.views.get(view_id)
    if owner != member.id:
        raise SlackError("not_found")
    return view


async def submit(ws: Workspace, member: Member, view_id: str, entered: Json) -> dict[str, str]:
    """Send `view_submission` and do what the ack says; return errors by block_id, its own or the client's."""
    view = _view_of(ws, member, view_id)
    values = state.values(view["blocks"], entered)
    if errors := state.missing(view["blocks"], values, _REQUIRED[member.locale]):
        return errors
    payload = _frame(ws, "view_submission", member, root_view_id=view["root_view_id"])
    payload |= {"view": view | {"state": {"values": values}}, "response_urls": []}
    ack = await _send(ws, "interactive", payload, answers=True)
    action = ack.get("response_action")
    if action == "errors":
        return dict(ack["errors"])
    if action == "clear":
        clear(ws, member.id)
    elif action == "update":
        show_view(ws, member.id, ws.views.update(view, check_view(ack["view"], "modal")))
    elif action == "push":
        show_view(ws, member.id, ws.views.push(member.id, check_view(ack["view"], "modal")))
    else:
        _close(ws, member.id, view_id)
    return {}


def show_view(ws: Workspace, user_id: str, view: Json) -> None:
    """Show a modal, or a published App Home, to its person."""
    ws.audience.tell({"type": "home" if view["type"] == "home" else "view", "view": view}, [user_id])


def clear(ws: Workspace, user_id: str) -> None:
    """Close all modals of a person."""
    stack = ws.views.stack(user_id)
    ws.views.clear(user_id)
    if stack:
        ws.audience.tell({"type": "view_closed", "view_id": stack[-1]["id"], "cleared": True}, [user_id])


def _close(ws: Workspace, user_id: str, view_id: str) -> None:
    ws.views.close(user_id, view_id)
    ws.audience.tell({"type": "view_closed", "view_id": view_id, "cleared": False}, [user_id])


async def close(ws: Workspace, member: Member, view_id: str) -> None:
    """Close a modal (and, if it says so, the whole stack); send `view_closed` if it wants to be told."""
    view = _view_of(ws, member, view_id)
    cleared = bool(view["clear_on_close"])
    if cleared:
        clear(ws, member.id)
    else:
        _close(ws, member.id, view_id)
    if view["notify_on_close"]:
        payload = _frame(ws, "view_closed", member)
        del payload["trigger_id"]
        await _send(ws, "interactive", payload | {"view": view, "is_cleared": cleared}, answers=False)


async def command(ws: Workspace, member: Member, channel_id: str, line: str) -> None:
    """Send a slash command as typed (`/name text`) and post what the ack answers; raise `invalid_command`."""
    channel = _channel_of(ws, member, channel_id)
    name, _, text = line.strip().partition(" ")
    known = ws.app.command(name)
    if known is None:
        raise SlackError("invalid_command")
    if known.get("should_escape"):
        text = escaped(text, ws.people, ws.board.channels.values())
    payload: Json = {
        "token": "practice",
        "team_id": TEAM_ID,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": _place(channel)["name"],
        "user_id": member.id,
        "user_name": member.name,
        "command": name,
        "text": text.strip(),
        "api_app_id": ws.app.app_id,
        "is_enterprise_install": "false",
        "response_url": _response_url(ws, ws.hooks.hook(member.id, channel.id)),
        "trigger_id": ws.hooks.trigger(member.id),
    }
    if ack := await _send(ws, "slash_commands", payload, answers=True):
        answer(ws, channel, member.id, ack)


def answer(ws: Workspace, channel: Channel, user_id: str, body: Json, thread_ts: str = "") -> None:
    """Post the answer to a command or a response_url: to its person alone, unless `response_type` is in_channel."""
    text = str(body.get("text") or "")
    blocks = check_message(body["blocks"]) if body.get("blocks") else None
    if not text and not blocks:
        raise SlackError("no_text")
    message = chat.by_bot(ws, text, blocks)
    if body.get("response_type") == "in_channel":
        chat.publish(ws, channel, message, thread_ts)
    else:
        chat.whisper(ws, channel, user_id, message, thread_ts)


async def shortcut(ws: Workspace, member: Member, callback_id: str, channel_id: str, ts: str) -> None:
    """Send a shortcut, on a message if it is one of those; raise `invalid_shortcut`."""
    known = ws.app.shortcut(callback_id)
    if known is None:
        raise SlackError("invalid_shortcut")
    facts = {"callback_id": callback_id, "action_ts": ws.board.ts()}
    if known.get("type") == "global":
        await _send(ws, "interactive", _frame(ws, "shortcut", member) | facts, answers=False)
        return
    channel = _channel_of(ws, member, channel_id)
    message = ws.board.message(channel_id, ts)
    hook = ws.hooks.hook(member.id, channel.id, ts, message.get("thread_ts", ""))
    payload = _frame(ws, "message_action", member) | facts | {"channel": _place(channel), "message_ts": ts}
    payload |= {"message": public(message), "response_url": _response_url(ws, hook)}
    await _send(ws, "interactive", payload, answers=False)


def open_home(ws: Workspace, member: Member, tab: Literal["home", "messages"]) -> None:
    """Tell the app that a person looks at its home or at its messages (`app_home_opened`)."""
    event: Json = {"type": "app_home_opened", "user": member.id, "channel": ws.dm(member.id).id, "tab": tab}
    view = ws.views.homes.get(member.id) if tab == "home" else None
    ws.emit(copied(event | {"event_ts": ws.board.ts()} | ({"view": view} if view else {})))
