"""Forwarding a message, which Slack sends as an attachment of the new message."""

from datetime import UTC, datetime

from bot.practice import chat
from bot.practice.board import deep_copy
from bot.practice.people import TEAM_ID, Channel
from bot.practice.wire import Json, SlackError
from bot.practice.workspace import Workspace


def forward(ws: Workspace, user_id: str, original: tuple[Channel, str], target: tuple[Channel, str], text: str) -> Json:
    """Post a person's message that forwards another one, with a text of its own or none.

    Args:
        ws: The workspace.
        user_id: The person who forwards.
        original: The channel and ts of the message that is forwarded.
        target: The channel, and the ts of the thread in it; an empty ts means none.
        text: What the person writes above it.

    Raises:
        SlackError: `channel_not_found` or `message_not_found` for the original; otherwise as `chat.say`.
    """
    source, ts = original
    if user_id not in source.members:
        raise SlackError("channel_not_found")
    channel, thread_ts = target
    attachment = _attachment(ws, source, ws.board.message(source.id, ts))
    return chat.say(ws, user_id, channel, text, thread_ts, attachments=[attachment])


def _attachment(ws: Workspace, source: Channel, message: Json) -> Json:
    """Return the attachment. An app's message has no `author_id`, and a private channel is marked as such."""
    ts, thread = message["ts"], message.get("thread_ts", message["ts"])
    author = ws.people.get(message.get("user", ""))
    link = f"{ws.url}archives/{source.id}/p{ts.replace('.', '')}"
    said_at = datetime.fromtimestamp(float(ts), UTC)
    attachment: Json = {
        "id": 1,
        "ts": ts,
        "channel_id": source.id,
        "channel_team": TEAM_ID,
        "is_msg_unfurl": True,
        "is_share": True,
        "message_blocks": [
            {"team": TEAM_ID, "channel": source.id, "ts": ts, "message": {"blocks": deep_copy(message["blocks"])}}
        ],
        "color": "D0D0D0",
        "from_url": link if thread == ts else f"{link}?thread_ts={thread}&cid={source.id}",
        "fallback": f"[{said_at:%B %d, %Y %I:%M %p}] {author.name if author else ''}: {message['text']}",
        "text": message["text"],
        "mrkdwn_in": ["text"],
        "footer": "Slack Conversation" if source.is_private else f"Posted in #{source.name}",
    }
    if "thread_ts" in message:
        attachment |= {"is_reply_unfurl" if thread != ts else "is_thread_root_unfurl": True}
    attachment |= {"private_channel_prompt": True} if source.is_private else {}
    attachment |= {"files": deep_copy(message["files"])} if message.get("files") else {}
    if "bot_id" in message:
        return attachment | {"bot_id": message["bot_id"], "msg_subtype": "bot_message"}
    name = {"author_name": author.real_name, "author_subname": author.real_name} if author else {}
    return attachment | {"author_id": message["user"], "author_link": f"{ws.url}team/{message['user']}"} | name
