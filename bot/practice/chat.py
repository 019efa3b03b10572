"""Saying, changing and taking back: what people and the app do with messages, and the events that follow."""

import uuid

from bot.practice.board import copied, public, with_ids
from bot.practice.people import TEAM_ID, Channel
from bot.practice.text import rich_text, typed
from bot.practice.wire import Json, SlackError
from bot.practice.workspace import Workspace

LONGEST_TEXT = 40_000
_MENTION_KEYS = (
    "user",
    "ts",
    "client_msg_id",
    "text",
    "team",
    "thread_ts",
    "parent_user_id",
    "blocks",
    "files",
    "edited",
)
_EVENT_NAMES = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


def say(
    ws: Workspace, user_id: str, channel: Channel, text: str, thread_ts: str = "", files: list[Json] | None = None
) -> Json:
    """Post what a person typed; raise `not_in_channel`, `no_text`, `msg_too_long`, `thread_not_found`."""
    if user_id not in channel.members:
        raise SlackError("not_in_channel")
    if not text.strip() and not files:
        raise SlackError("no_text")
    if len(text) > LONGEST_TEXT:
        raise SlackError("msg_too_long")
    text = typed(text, ws.people, ws.board.channels.values())
    message: Json = {"user": user_id, "type": "message", "ts": ws.board.ts(), "client_msg_id": str(uuid.uuid4())}
    message |= {"text": text, "team": TEAM_ID}
    message["blocks"] = with_ids([rich_text(text)]) if text else []
    if files:
        message |= {"subtype": "file_share", "files": list(files), "upload": False, "display_as_bot": False}
    return publish(ws, channel, message, thread_ts)


def by_stranger(ws: Workspace, channel: Channel, text: str) -> Json:
    """Post what somebody of a partner company says in a channel that both share (Slack Connect)."""
    who = ws.people.stranger
    message: Json = {"user": who.id, "type": "message", "ts": ws.board.ts(), "client_msg_id": str(uuid.uuid4())}
    message |= {"text": typed(text, ws.people, ws.board.channels.values()), "team": who.team_id}
    message |= {"user_team": who.team_id, "source_team": who.team_id, "user_profile": {"real_name": who.real_name}}
    return publish(ws, channel, message | {"blocks": with_ids([rich_text(message["text"])])})


def by_other_bot(ws: Workspace, channel: Channel, text: str) -> Json:
    """Post what another app says by a webhook: it has a bot_id and no user."""
    message: Json = {"type": "message", "subtype": "bot_message", "ts": ws.board.ts(), "bot_id": "B0OTHERAPP1"}
    message |= {"text": typed(text, ws.people, ws.board.channels.values()), "username": "Build news"}
    return publish(ws, channel, message | {"app_id": "A0OTHERAPP1", "blocks": []})


def by_bot(ws: Workspace, text: str, blocks: list[Json] | None, extra: Json | None = None) -> Json:
    """Return a message of the app's bot user, not yet posted. Slack cuts off text above 40,000 characters."""
    text = text[:LONGEST_TEXT]
    app = ws.app
    profile = {"id": app.bot_id, "deleted": False, "name": app.bot_name, "updated": 1790000000, "app_id": app.app_id}
    message: Json = {"user": app.bot_user, "type": "message", "ts": ws.board.ts(), "bot_id": app.bot_id}
    message |= {"app_id": app.app_id, "text": text, "team": TEAM_ID, "bot_profile": profile | {"team_id": TEAM_ID}}
    message["blocks"] = with_ids(blocks or ([rich_text(text)] if text else []))
    return message | (extra or {})


def publish(ws: Workspace, channel: Channel, message: Json, thread_ts: str = "", *, broadcast: bool = False) -> Json:
    """Put a message where all in the channel see it, and tell the app of it."""
    if thread_ts:
        root = ws.board.messages.get(channel.id, {}).get(thread_ts)
        if root is None:
            raise SlackError("thread_not_found")
        message["thread_ts"] = root.get("thread_ts", root["ts"])
        parent = ws.board.message(channel.id, message["thread_ts"])
        message["parent_user_id"] = parent.get("user")
        message |= {"subtype": "thread_broadcast"} if broadcast else {}
    parent_now = ws.board.put(channel.id, message)
    ws.show(channel, message)
    if parent_now is not None:
        ws.show(channel, parent_now)
    _message_event(ws, channel, public(message), message["ts"])
    _mention_event(ws, channel, message)
    for file in message.get("files", []):
        facts = {
            "file_id": file["id"],
            "user_id": message["user"],
            "file": {"id": file["id"]},
            "channel_id": channel.id,
        }
        ws.emit({"type": "file_shared", **facts, "event_ts": message["ts"]})
    return message


def _message_event(ws: Workspace, channel: Channel, event: Json, ts: str) -> None:
    if ws.app.bot_user in channel.members:
        place = {"channel": channel.id, "event_ts": ts, "channel_type": channel.kind}
        ws.emit(copied({**event, "type": "message", **place}), _EVENT_NAMES[channel.kind])


def _mention_event(ws: Workspace, channel: Channel, message: Json) -> None:
    mentioned = f"<@{ws.app.bot_user}>" in message["text"] and "bot_id" not in message
    if mentioned and not channel.is_im and ws.app.bot_user in channel.members:
        keys = (
            "user",
            "ts",
            "client_msg_id",
            "text",
            "team",
            "thread_ts",
            "parent_user_id",
            "blocks",
            "files",
            "edited",
        )
        event = {key: message[key] for key in keys if key in message}
        ws.emit(copied({"type": "app_mention", **event, "channel": channel.id, "event_ts": message["ts"]}))


def change(ws: Workspace, channel: Channel, new: Json, editor: str) -> Json:
    """Replace a message by its new version and tell the app (`message_changed`)."""
    new["edited"] = {"user": editor, "ts": f"{new['ts'].partition('.')[0]}.000000"}
    old = ws.board.replace(channel.id, new)
    ws.show(channel, new)
    ts = ws.board.ts()
    versions = {"message": public(new), "previous_message": public(old)}
    _message_event(ws, channel, {"subtype": "message_changed", **versions, "hidden": True, "ts": ts}, ts)
    if f"<@{ws.app.bot_user}>" not in old["text"]:
        _mention_event(ws, channel, new)
    return new


def edit(ws: Workspace, user_id: str, channel: Channel, ts: str, text: str) -> Json:
    """Change one's own message; raise `cant_update_message` on another's, `no_text` on nothing."""
    message = ws.board.message(channel.id, ts)
    if message.get("user") != user_id:
        raise SlackError("cant_update_message")
    if not text.strip():
        raise SlackError("no_text")
    text = typed(text, ws.people, ws.board.channels.values())
    return change(ws, channel, {**message, "text": text, "blocks": with_ids([rich_text(text)])}, user_id)


def delete(ws: Workspace, user_id: str, channel: Channel, ts: str) -> None:
    """Take back one's own message; a thread keeps a tombstone in its parent's place."""
    message = ws.board.message(channel.id, ts)
    if message.get("user") != user_id:
        raise SlackError("cant_delete_message")
    if message.get("reply_count"):
        keys = ("ts", "team", "thread_ts", "reply_count", "reply_users_count", "latest_reply", "reply_users")
        tomb = {key: message[key] for key in keys if key in message}
        tomb |= {"type": "message", "subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT"}
        change(ws, channel, {**tomb, "hidden": True, "blocks": []}, "USLACKBOT")
        return
    parent = ws.board.drop(channel.id, ts)
    ws.audience.tell({"type": "message_deleted", "channel": channel.id, "ts": ts}, channel.members)
    ws.show(channel, parent)
    now = ws.board.ts()
    facts = {"deleted_ts": ts, "previous_message": public(message), "hidden": True, "ts": now}
    _message_event(ws, channel, {"subtype": "message_deleted", **facts}, now)


def whisper(ws: Workspace, channel: Channel, user_id: str, message: Json, thread_ts: str = "") -> Json:
    """Show a message to one person only."""
    message |= {"is_ephemeral": True, "ephemeral": True} | ({"thread_ts": thread_ts} if thread_ts else {})
    ws.board.whisper(channel.id, user_id, message)
    ws.audience.tell({"type": "message", "channel": channel.id, "message": public(message)}, [user_id])
    return message


def react(ws: Workspace, user_id: str, channel: Channel, ts: str, name: str, *, on: bool) -> None:
    """Add or take back a reaction; raise `already_reacted` or `no_reaction`."""
    message = ws.board.message(channel.id, ts)
    reactions: list[Json] = message.get("reactions", [])
    before: list[str] = next((one["users"] for one in reactions if one["name"] == name), [])
    if on == (user_id in before):
        raise SlackError("already_reacted" if on else "no_reaction")
    users = [*before, user_id] if on else [user for user in before if user != user_id]
    others = [one for one in reactions if one["name"] != name]
    message["reactions"] = others + ([{"name": name, "users": users, "count": len(users)}] if users else [])
    ws.show(channel, message)
    if ws.app.bot_user in channel.members:
        item = {"type": "message", "channel": channel.id, "ts": ts}
        facts = {"user": user_id, "reaction": name, "item": item, "item_user": message.get("user")}
        ws.emit({"type": "reaction_added" if on else "reaction_removed", **facts, "event_ts": ws.board.ts()})
