"""Interactions of a person with the app: presses, submissions, commands, shortcuts and the App Home.

Each function that sends one raises `SlackError`: `dispatch_failed` if no app is connected, `operation_timeout` if the
app does not ack within `Timing.ack`. An interaction is never sent twice.
"""

from typing import Literal

from bot.practice import chat, state
from bot.practice.blocks import check_message, check_view
from bot.practice.board import deep_copy, public
from bot.practice.delivery import NotAckedError
from bot.practice.people import ENTERPRISE_NAME, TEAM_DOMAIN, TEAM_ID, Channel, Member
from bot.practice.text import to_command_text
from bot.practice.wire import Json, SlackError
from bot.practice.workspace import Workspace

_REQUIRED = {"ja-JP": "この項目は必須です。", "en-US": "Please complete this required field."}


async def _send(
    ws: Workspace, kind: Literal["interactive", "slash_commands"], payload: Json, *, accepts_response: bool
) -> Json:
    if not ws.delivery.connected:
        raise SlackError("dispatch_failed")
    try:
        return await ws.delivery.ask(kind, deep_copy(payload), accepts_response_payload=accepts_response) or {}
    except NotAckedError:
        raise SlackError("operation_timeout") from None


def _base_payload(ws: Workspace, kind: str, member: Member, *, root_view_id: str = "") -> Json:
    user = {"id": member.id, "username": member.name, "name": member.name, "team_id": member.team_id}
    team = {"id": member.team_id, "domain": TEAM_DOMAIN}
    enterprise = {"id": ws.people.bot.enterprise_id, "name": ENTERPRISE_NAME} if ws.people.bot.enterprise_id else None
    team |= {"enterprise_id": enterprise["id"], "enterprise_name": enterprise["name"]} if enterprise else {}
    payload: Json = {"type": kind, "user": user, "api_app_id": ws.app.app_id, "token": "practice", "team": team}
    trigger_id = ws.hooks.trigger(member.id, root_view_id)
    return payload | {"trigger_id": trigger_id, "enterprise": enterprise, "is_enterprise_install": False}


def _channel_ref(channel: Channel) -> Json:
    name = "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name
    return {"id": channel.id, "name": name}


def _response_url(ws: Workspace, key: str) -> str:
    return f"{ws.url}actions/{TEAM_ID}/{key}"


async def press_in_message(ws: Workspace, member: Member, place: Json, given: Json, entered: Json) -> None:
    """Send `block_actions` for an element of a message: a press of a button, or a choice in a select.

    Args:
        ws: The workspace.
        member: The person.
        place: The message's `channel` and `ts`.
        given: The pressed element: its `block_id`, its `action_id` and the chosen value.
        entered: The values of the other inputs, in the form of `state.values`.

    Raises:
        SlackError: `stale_action` if the message, now and before its last change, has no such element or option;
            `channel_not_found` or `message_not_found`.
    """
    channel = _channel_of(ws, member, place["channel"])
    ts = place["ts"]
    held_ephemeral = ws.board.ephemerals.get(channel.id, {}).get(ts)
    ephemeral = held_ephemeral is not None and held_ephemeral[0] == member.id
    message = held_ephemeral[1] if held_ephemeral and ephemeral else ws.board.message(channel.id, ts)
    before = ws.board.previous_blocks(channel.id, ts)
    action = _action(ws, member, message["blocks"], given) or _action(ws, member, before, given)
    if action is None:
        raise SlackError("stale_action")
    thread_ts = message.get("thread_ts", "")
    container = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral}
    hook = ws.hooks.hook(member.id, channel.id, ts, thread_ts, ephemeral=ephemeral)
    payload = _base_payload(ws, "block_actions", member) | {
        "container": container | ({"thread_ts": thread_ts} if thread_ts else {}),
        "channel": _channel_ref(channel),
        "state": {"values": state.values(message["blocks"], _with_entry(entered, given))},
        "response_url": _response_url(ws, hook),
        "actions": [action],
    }
    await _send(
        ws, "interactive", payload | ({} if ephemeral else {"message": public(message)}), accepts_response=False
    )


async def press_in_view(ws: Workspace, member: Member, view_id: str, given: Json, entered: Json) -> None:
    """Send `block_actions` for an element of a modal or an App Home; the arguments are those of `press_in_message`.

    Raises:
        SlackError: `stale_action` if the view has no such element or option; `not_found` for somebody else's view.
    """
    view = _view_of(ws, member, view_id)
    action = _action(ws, member, view["blocks"], given)
    if action is None:
        raise SlackError("stale_action")
    shown = view | {"state": {"values": state.values(view["blocks"], _with_entry(entered, given))}}
    payload = _base_payload(ws, "block_actions", member, root_view_id=view["root_view_id"])
    payload |= {"container": {"type": "view", "view_id": view_id}, "view": shown, "actions": [action]}
    await _send(ws, "interactive", payload, accepts_response=False)


def _action(ws: Workspace, member: Member, blocks: list[Json], given: Json) -> Json | None:
    element = state.find_element(blocks, given.get("block_id", ""), given.get("action_id", ""))
    if element is None or member.id not in element.get("visible_to_user_ids", [member.id]):
        return None
    return state.action_item(element, given, given["block_id"], ws.board.ts())


def _with_entry(entered: Json, given: Json) -> Json:
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
    """Send `view_submission` and carry out the `response_action` of the ack.

    Returns:
        The errors by block_id, from the app or from the check of required inputs that Slack's client does.

    Raises:
        SlackError: `not_found` for somebody else's view; `invalid_arguments` for an invalid view in the ack.
    """
    view = _view_of(ws, member, view_id)
    values = state.values(view["blocks"], entered)
    if errors := state.missing_inputs(view["blocks"], values, _REQUIRED[member.locale]):
        return errors
    payload = _base_payload(ws, "view_submission", member, root_view_id=view["root_view_id"])
    payload |= {"view": view | {"state": {"values": values}}, "response_urls": []}
    ack = await _send(ws, "interactive", payload, accepts_response=True)
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
    """Send a modal or an App Home to the windows of its owner."""
    ws.windows.tell({"type": "home" if view["type"] == "home" else "view", "view": view}, [user_id])


def clear(ws: Workspace, user_id: str) -> None:
    """Close all modals of a person, also in the person's windows."""
    stack = ws.views.stack(user_id)
    ws.views.clear(user_id)
    if stack:
        ws.windows.tell({"type": "view_closed", "view_id": stack[-1]["id"], "cleared": True}, [user_id])


def _close(ws: Workspace, user_id: str, view_id: str) -> None:
    ws.views.close(user_id, view_id)
    ws.windows.tell({"type": "view_closed", "view_id": view_id, "cleared": False}, [user_id])


async def close(ws: Workspace, member: Member, view_id: str) -> None:
    """Close a modal, or the person's whole stack if the modal sets `clear_on_close`.

    If the modal sets `notify_on_close`, the app is sent `view_closed`.
    """
    view = _view_of(ws, member, view_id)
    cleared = bool(view["clear_on_close"])
    if cleared:
        clear(ws, member.id)
    else:
        _close(ws, member.id, view_id)
    if view["notify_on_close"]:
        payload = _base_payload(ws, "view_closed", member)
        del payload["trigger_id"]
        await _send(ws, "interactive", payload | {"view": view, "is_cleared": cleared}, accepts_response=False)


async def command(ws: Workspace, member: Member, channel_id: str, line: str) -> None:
    """Send a slash command (`/name text`) and post the answer in its ack.

    Raises:
        SlackError: `invalid_command` if the manifest has no such command; `channel_not_found`.
    """
    channel = _channel_of(ws, member, channel_id)
    name, text = [*line.split(maxsplit=1), "", ""][:2]  # a full-width space parts them too
    known = ws.app.command(name)
    if known is None:
        raise SlackError("invalid_command")
    if known.get("should_escape"):
        text = to_command_text(text, ws.people, ws.board.channels.values())
    payload: Json = {
        "token": "practice",
        "team_id": member.team_id,
        "team_domain": TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": _channel_ref(channel)["name"],
        "user_id": member.id,
        "user_name": member.name,
        "command": name,
        "text": text.strip(),
        "api_app_id": ws.app.app_id,
        "is_enterprise_install": "false",
        "response_url": _response_url(ws, ws.hooks.hook(member.id, channel.id)),
        "trigger_id": ws.hooks.trigger(member.id),
    }
    if enterprise := ws.people.bot.enterprise_id:
        payload |= {"enterprise_id": enterprise, "enterprise_name": ENTERPRISE_NAME}
    if ack := await _send(ws, "slash_commands", payload, accepts_response=True):
        post_response(ws, channel, member.id, ack)


def post_response(ws: Workspace, channel: Channel, user_id: str, body: Json, thread_ts: str = "") -> None:
    """Post the answer to a command or a response_url, ephemerally unless its `response_type` is `in_channel`.

    Raises:
        SlackError: `no_text`, or an error of `check_message`.
    """
    text = str(body.get("text") or "")
    blocks = check_message(body["blocks"]) if body.get("blocks") else None
    if not text and not blocks:
        raise SlackError("no_text")
    message = chat.bot_message(ws, text, blocks)
    if body.get("response_type") == "in_channel":
        chat.publish(ws, channel, message, thread_ts)
    else:
        chat.post_ephemeral(ws, channel, user_id, message, thread_ts)


async def shortcut(ws: Workspace, member: Member, callback_id: str, channel_id: str, ts: str) -> None:
    """Send a shortcut. `channel_id` and `ts` name the message of a message shortcut; a global one ignores them.

    Raises:
        SlackError: `invalid_shortcut` if the manifest has no such shortcut; `channel_not_found` or `message_not_found`.
    """
    known = ws.app.shortcut(callback_id)
    if known is None:
        raise SlackError("invalid_shortcut")
    facts = {"callback_id": callback_id, "action_ts": ws.board.ts()}
    if known.get("type") == "global":
        await _send(ws, "interactive", _base_payload(ws, "shortcut", member) | facts, accepts_response=False)
        return
    channel = _channel_of(ws, member, channel_id)
    message = ws.board.message(channel_id, ts)
    hook = ws.hooks.hook(member.id, channel.id, ts, message.get("thread_ts", ""))
    payload = _base_payload(ws, "message_action", member) | facts | {"channel": _channel_ref(channel), "message_ts": ts}
    payload |= {"message": public(message), "response_url": _response_url(ws, hook)}
    await _send(ws, "interactive", payload, accepts_response=False)


def open_home(ws: Workspace, member: Member, tab: Literal["home", "messages"]) -> None:
    """Send `app_home_opened` for the home tab or the messages tab of the app."""
    event: Json = {"type": "app_home_opened", "user": member.id, "channel": ws.dm(member.id).id, "tab": tab}
    view = ws.views.homes.get(member.id) if tab == "home" else None
    ws.emit(deep_copy(event | {"event_ts": ws.board.ts()} | ({"view": view} if view else {})))
