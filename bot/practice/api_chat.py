"""Web API: chat.*, reactions.*, conversations.join, and posts to a response_url."""

from bot.practice import chat
from bot.practice.api import Method, conversation, require_scope
from bot.practice.blocks import check_message
from bot.practice.board import deep_copy, public
from bot.practice.interactions import post_response
from bot.practice.people import Channel
from bot.practice.wire import Args, Json, SlackError
from bot.practice.workspace import Workspace

_MAX_UPDATE_CHARACTERS = 4000
_MAX_METADATA_CHARACTERS = 8000


def _target(ws: Workspace, args: Args) -> Channel:
    wanted = args.text("channel")
    if ws.people.get(wanted):
        return ws.dm(wanted)
    matching_ids = (channel.id for channel in ws.sample if channel.name == wanted.removeprefix("#"))
    return ws.board.channel(next(matching_ids, wanted))


def _require_postable(ws: Workspace, channel: Channel) -> Channel:
    if ws.app.bot_user not in channel.members:
        if channel.is_private:
            raise SlackError("channel_not_found")
        if "chat:write.public" not in ws.app.scopes:
            raise SlackError("not_in_channel")
    return channel


def _content(args: Args) -> tuple[str, list[Json] | None, Json]:
    blocks = args.data("blocks", "invalid_blocks_format")
    attachments = args.data("attachments", "invalid_attachments")
    checked = check_message(blocks) if blocks else None
    if not args.text("text") and not checked and not attachments:
        raise SlackError("no_text")
    extra: Json = {"attachments": attachments} if attachments else {}
    return args.text("text"), checked, extra | _metadata(args)


def _metadata(args: Args) -> Json:
    if "metadata" not in args:
        return {}
    metadata = args.data("metadata", "invalid_metadata_format")
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if metadata and not (
        isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    ):
        raise SlackError("invalid_metadata_schema")
    if len(str(metadata)) > _MAX_METADATA_CHARACTERS:
        raise SlackError("metadata_too_large")
    return {"metadata": metadata}


def _post(ws: Workspace, args: Args) -> Json:
    channel = _require_postable(ws, _target(ws, args))
    text, blocks, extra = _content(args)
    message = chat.bot_message(ws, text, blocks, extra)
    thread_ts, broadcast = args.text("thread_ts"), args.flag("reply_broadcast")
    posted = chat.publish(ws, channel, message, thread_ts, broadcast=broadcast)
    return {"channel": channel.id, "ts": posted["ts"], "message": deep_copy(posted)}


def _post_ephemeral(ws: Workspace, args: Args) -> Json:
    channel = _require_postable(ws, ws.board.channel(args.text("channel")))
    user_id = args.required("user")
    if user_id not in channel.members:
        raise SlackError("user_not_in_channel")
    text, blocks, extra = _content(args)
    message = chat.bot_message(ws, text, blocks, extra)
    return {"message_ts": chat.post_ephemeral(ws, channel, user_id, message, args.text("thread_ts"))["ts"]}


def _update(ws: Workspace, args: Args) -> Json:
    channel = _require_postable(ws, ws.board.channel(args.text("channel")))
    old = ws.board.message(channel.id, args.text("ts"))
    if old.get("user") != ws.app.bot_user:
        raise SlackError("cant_update_message")
    if len(args.text("text")) > _MAX_UPDATE_CHARACTERS:
        raise SlackError("msg_too_long")
    new = _new_version(ws, old, args)
    message = chat.change(ws, channel, new, ws.app.bot_user)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": deep_copy(message)}


def _new_version(ws: Workspace, old: Json, args: Args) -> Json:
    # Without `blocks`, Slack keeps the message's old blocks; an empty list removes them.
    keeps_blocks = "blocks" not in args and old["blocks"] and old["blocks"][0]["type"] != "rich_text"
    if keeps_blocks and args.text("text"):
        return {**old, **_metadata(args), "text": args.text("text")}
    text, blocks, extra = _content(args)
    built = chat.bot_message(ws, text, blocks, extra)
    return {**old, **extra, "text": built["text"], "blocks": built["blocks"]}


def _delete(ws: Workspace, args: Args) -> Json:
    channel = ws.board.channel(args.text("channel"))
    chat.delete(ws, ws.app.bot_user, channel, args.text("ts"))
    return {"channel": channel.id, "ts": args.text("ts")}


def _permalink(ws: Workspace, args: Args) -> Json:
    channel = ws.board.channel(args.text("channel"))
    message = ws.board.message(channel.id, args.text("message_ts"))
    link = f"{ws.url}archives/{channel.id}/p{message['ts'].replace('.', '')}"
    root = message.get("thread_ts", message["ts"])
    link += f"?thread_ts={root}&cid={channel.id}" if root != message["ts"] else ""
    return {"channel": channel.id, "permalink": link}


def _react(ws: Workspace, args: Args, *, on: bool) -> Json:
    channel = _require_postable(ws, ws.board.channel(args.text("channel")))
    name = args.text("name").strip(":")
    if not name:
        raise SlackError("invalid_name")
    chat.react(ws, ws.app.bot_user, channel, args.text("timestamp"), name, on=on)
    return {}


def _get_reactions(ws: Workspace, args: Args) -> Json:
    channel = conversation(ws, args, "history")
    message = ws.board.message(channel.id, args.text("timestamp"))
    return {"type": "message", "channel": channel.id, "message": public(message)}


def respond(ws: Workspace, key: str, body: Json) -> None:
    """Post, replace or delete a message as a POST to a response_url asks.

    Raises:
        SlackError: `expired_url`, `used_url`, `no_text` or `invalid_blocks`.
    """
    hook = ws.hooks.use(key)
    channel = ws.board.channel(hook.channel_id)
    deletes = bool(body.get("delete_original"))
    if not hook.message_ts or not (deletes or body.get("replace_original")):
        post_response(ws, channel, hook.user_id, body, str(body.get("thread_ts") or hook.thread_ts))
    elif hook.is_ephemeral:
        _replace_ephemeral(ws, channel, hook.user_id, hook.message_ts, None if deletes else body)
    elif deletes:
        chat.delete(ws, ws.app.bot_user, channel, hook.message_ts)
    else:
        _update(ws, Args({"blocks": [], **body, "channel": channel.id, "ts": hook.message_ts}))


def _replace_ephemeral(ws: Workspace, channel: Channel, user_id: str, ts: str, body: Json | None) -> None:
    _, old = ws.board.ephemerals[channel.id].pop(ts, (user_id, {"ts": ts}))
    if body is None:
        ws.windows.tell({"type": "message_deleted", "channel": channel.id, "ts": ts}, [user_id])
        return
    text, blocks, extra = _content(Args(body))
    message = chat.bot_message(ws, text, blocks, extra) | {"ts": ts}
    chat.post_ephemeral(ws, channel, user_id, message, old.get("thread_ts", ""))


def _join(ws: Workspace, args: Args) -> Json:
    channel = ws.board.channel(args.text("channel"))
    require_scope(ws, "channels:join")
    if ws.app.bot_user not in channel.members:
        channel.members.append(ws.app.bot_user)
    return {"channel": channel.conversation(ws.app.bot_user)}


CHAT_METHODS = {
    "chat.postMessage": Method(_post, "chat:write"),
    "chat.postEphemeral": Method(_post_ephemeral, "chat:write"),
    "chat.update": Method(_update, "chat:write"),
    "chat.delete": Method(_delete, "chat:write"),
    "chat.getPermalink": Method(_permalink),
    "conversations.join": Method(_join),
    "reactions.add": Method(lambda ws, args: _react(ws, args, on=True), "reactions:write"),
    "reactions.remove": Method(lambda ws, args: _react(ws, args, on=False), "reactions:write"),
    "reactions.get": Method(_get_reactions, "reactions:read"),
}
