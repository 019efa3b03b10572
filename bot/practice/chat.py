"""Posting, editing and deleting messages, reactions, and the events that each of these sends to the app."""

import uuid

from bot.practice.board import deep_copy, public, with_ids
from bot.practice.people import TEAM_ID, Channel
from bot.practice.text import rich_text, to_mrkdwn
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
    "attachments",
    "edited",
)
_EVENT_NAMES = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


def say(  # noqa: PLR0913 - a message's parts
    ws: Workspace,
    user_id: str,
    channel: Channel,
    text: str,
    thread_ts: str = "",
    *,
    files: list[Json] | None = None,
    attachments: list[Json] | None = None,
) -> Json:
    """Post a person's message.

    Raises:
        SlackError: `not_in_channel`, `no_text`, `msg_too_long` or `thread_not_found`.
    """
    if user_id not in channel.members:
        raise SlackError("not_in_channel")
    if thread_ts and thread_ts not in ws.board.messages.get(channel.id, {}):
        raise SlackError("thread_not_found")
    if not text.strip() and not files and not attachments:
        raise SlackError("no_text")
    if len(text) > LONGEST_TEXT:
        raise SlackError("msg_too_long")
    text = to_mrkdwn(text, ws.people, ws.board.channels.values())
    message: Json = {"user": user_id, "type": "message", "ts": ws.board.ts(), "client_msg_id": str(uuid.uuid4())}
    team = ws.member(user_id).team_id
    message |= {"text": text, "team": team}
    if team != TEAM_ID:
        message |= {"user_team": team, "source_team": team}
    message["blocks"] = with_ids([rich_text(text)]) if text else []
    if files:
        message |= {"subtype": "file_share", "files": list(files), "upload": False, "display_as_bot": False}
    message |= {"attachments": list(attachments)} if attachments else {}
    return publish(ws, channel, message, thread_ts)


def say_as_stranger(ws: Workspace, channel: Channel, text: str) -> Json:
    """Post a message by a person of a partner company in a shared channel (Slack Connect)."""
    stranger = ws.people.stranger
    message: Json = {"user": stranger.id, "type": "message", "ts": ws.board.ts(), "client_msg_id": str(uuid.uuid4())}
    message |= {"text": to_mrkdwn(text, ws.people, ws.board.channels.values()), "team": stranger.team_id}
    message |= {
        "user_team": stranger.team_id,
        "source_team": stranger.team_id,
        "user_profile": {"real_name": stranger.real_name},
    }
    return publish(ws, channel, message | {"blocks": with_ids([rich_text(message["text"])])})


def say_as_other_bot(ws: Workspace, channel: Channel, text: str) -> Json:
    """Post a message by another app's webhook: the message has a bot_id and no user."""
    message: Json = {"type": "message", "subtype": "bot_message", "ts": ws.board.ts(), "bot_id": "B0OTHERAPP1"}
    message |= {"text": to_mrkdwn(text, ws.people, ws.board.channels.values()), "username": "Build news"}
    return publish(ws, channel, message | {"app_id": "A0OTHERAPP1", "blocks": []})


def bot_message(ws: Workspace, text: str, blocks: list[Json] | None, extra: Json | None = None) -> Json:
    """Return an unposted message of the app's bot user. As on Slack, text is cut at 40,000 characters."""
    text = text[:LONGEST_TEXT]
    app = ws.app
    profile = {"id": app.bot_id, "deleted": False, "name": app.bot_name, "updated": 1790000000, "app_id": app.app_id}
    message: Json = {"user": app.bot_user, "type": "message", "ts": ws.board.ts(), "bot_id": app.bot_id}
    message |= {"app_id": app.app_id, "text": text, "team": TEAM_ID, "bot_profile": profile | {"team_id": TEAM_ID}}
    message["blocks"] = with_ids(blocks or ([rich_text(text)] if text else []))
    return message | (extra or {})


def publish(ws: Workspace, channel: Channel, message: Json, thread_ts: str = "", *, broadcast: bool = False) -> Json:
    """Post a message to everybody in the channel and send its events to the app.

    As on Slack, a reply to a message that was deleted is posted at the top level of the channel.
    """
    root = ws.board.messages.get(channel.id, {}).get(thread_ts)
    if root is not None:
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
        ws.emit(deep_copy({**event, "type": "message", **place}), _EVENT_NAMES[channel.kind])


def _mention_event(ws: Workspace, channel: Channel, message: Json) -> None:
    mentioned = f"<@{ws.app.bot_user}>" in message["text"] and "bot_id" not in message
    if mentioned and not channel.is_im and ws.app.bot_user in channel.members:
        event = {key: message[key] for key in _MENTION_KEYS if key in message}
        ws.emit(deep_copy({"type": "app_mention", **event, "channel": channel.id, "event_ts": message["ts"]}))


def change(ws: Workspace, channel: Channel, new: Json, editor: str) -> Json:
    """Replace a message with its new version and send `message_changed` to the app."""
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
    """Edit a person's own message.

    Raises:
        SlackError: `message_not_found`; `cant_update_message` for somebody else's message; `no_text` for an empty text.
    """
    message = ws.board.message(channel.id, ts)
    if message.get("user") != user_id:
        raise SlackError("cant_update_message")
    if not text.strip():
        raise SlackError("no_text")
    text = to_mrkdwn(text, ws.people, ws.board.channels.values())
    return change(ws, channel, {**message, "text": text, "blocks": with_ids([rich_text(text)])}, user_id)


def delete(ws: Workspace, user_id: str, channel: Channel, ts: str) -> None:
    """Delete a user's own message. If it has replies, a tombstone takes its place.

    Raises:
        SlackError: `message_not_found`; `cant_delete_message` for somebody else's message.
    """
    message = ws.board.message(channel.id, ts)
    if message.get("user") != user_id:
        raise SlackError("cant_delete_message")
    if message.get("reply_count"):
        keys = ("ts", "team", "thread_ts", "reply_count", "reply_users_count", "latest_reply", "reply_users")
        tombstone = {key: message[key] for key in keys if key in message}
        tombstone |= {
            "type": "message",
            "subtype": "tombstone",
            "text": "This message was deleted.",
            "user": "USLACKBOT",
        }
        change(ws, channel, {**tombstone, "hidden": True, "blocks": []}, "USLACKBOT")
        return
    parent = ws.board.drop(channel.id, ts)
    ws.windows.tell({"type": "message_deleted", "channel": channel.id, "ts": ts}, channel.members)
    ws.show(channel, parent)
    event_ts = ws.board.ts()
    facts = {"deleted_ts": ts, "previous_message": public(message), "hidden": True, "ts": event_ts}
    _message_event(ws, channel, {"subtype": "message_deleted", **facts}, event_ts)


def bury_file(ws: Workspace, file_id: str) -> None:
    """Put a tombstone in the place of a deleted file, in each message that showed it."""
    for channel in [*ws.board.channels.values()]:
        for message in [*ws.board.messages.get(channel.id, {}).values()]:
            if any(file["id"] == file_id for file in message.get("files", [])):
                files = [
                    {"id": file_id, "mode": "tombstone"} if file["id"] == file_id else file for file in message["files"]
                ]
                message["files"] = files
                ws.show(channel, message)


def post_ephemeral(ws: Workspace, channel: Channel, user_id: str, message: Json, thread_ts: str = "") -> Json:
    """Post a message that only one person sees, and return it."""
    message |= {"is_ephemeral": True, "ephemeral": True} | ({"thread_ts": thread_ts} if thread_ts else {})
    ws.board.post_ephemeral(channel.id, user_id, message)
    ws.windows.tell({"type": "message", "channel": channel.id, "message": public(message)}, [user_id])
    return message


def react(ws: Workspace, user_id: str, channel: Channel, ts: str, name: str, *, on: bool) -> None:
    """Add a reaction, or remove it if `on` is false.

    Raises:
        SlackError: `message_not_found`, `already_reacted` or `no_reaction`.
    """
    message = ws.board.message(channel.id, ts)
    reactions: list[Json] = message.get("reactions", [])
    users_before: list[str] = next((one["users"] for one in reactions if one["name"] == name), [])
    if on == (user_id in users_before):
        raise SlackError("already_reacted" if on else "no_reaction")
    users = [*users_before, user_id] if on else [user for user in users_before if user != user_id]
    other_reactions = [one for one in reactions if one["name"] != name]
    message["reactions"] = other_reactions + ([{"name": name, "users": users, "count": len(users)}] if users else [])
    ws.show(channel, message)
    if ws.app.bot_user in channel.members and "reactions:read" in ws.app.scopes:
        item = {"type": "message", "channel": channel.id, "ts": ts}
        facts = {"user": user_id, "reaction": name, "item": item, "item_user": message.get("user")}
        ws.emit({"type": "reaction_added" if on else "reaction_removed", **facts, "event_ts": ws.board.ts()})
