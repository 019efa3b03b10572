"""Web API: chat.*, reactions.*, and what a response_url takes."""

from bot.practice import chat
from bot.practice.api import Method, conversation, require
from bot.practice.blocks import check_message
from bot.practice.board import copied, public
from bot.practice.interactions import answer
from bot.practice.people import Channel
from bot.practice.wire import Args, Json, SlackError
from bot.practice.workspace import Workspace

_UPDATE_LONGEST = 4000
_METADATA_BYTES = 8000


def _target(ws: Workspace, args: Args) -> Channel:
    wanted = args.text("channel")
    if ws.people.get(wanted):
        return ws.dm(wanted)
    named = (channel.id for channel in ws.sample if channel.name == wanted.removeprefix("#"))
    return ws.board.channel(next(named, wanted))


def _open_to_bot(ws: Workspace, channel: Channel) -> Channel:
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
    if len(str(metadata)) > _METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return {"metadata": metadata}


def _post(ws: Workspace, args: Args) -> Json:
    channel = _open_to_bot(ws, _target(ws, args))
    text, blocks, extra = _content(args)
    message = chat.by_bot(ws, text, blocks, extra)
    thread_ts, broadcast = args.text("thread_ts"), args.flag("reply_broadcast")
    posted = chat.publish(ws, channel, message, thread_ts, broadcast=broadcast)
    return {"channel": channel.id, "ts": posted["ts"], "message": copied(posted)}


def _whisper(ws: Workspace, args: Args) -> Json:
    channel = _open_to_bot(ws, ws.board.channel(args.text("channel")))
    user_id = args.need("user")
    if user_id not in channel.members:
        raise SlackError("user_not_in_channel")
    text, blocks, extra = _content(args)
    message = chat.by_bot(ws, text, blocks, extra)
    return {"message_ts": chat.whisper(ws, channel, user_id, message, args.text("thread_ts"))["ts"]}


def _update(ws: Workspace, args: Args) -> Json:
    channel = _open_to_bot(ws, ws.board.channel(args.text("channel")))
    old = ws.board.message(channel.id, args.text("ts"))
    if old.get("user") != ws.app.bot_user:
        raise SlackError("cant_update_message")
    if len(args.text("text")) > _UPDATE_LONGEST:
        raise SlackError("msg_too_long")
    new = _new_version(ws, old, args)
    message = chat.change(ws, channel, new, ws.app.bot_user)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": copied(message)}


def _new_version(ws: Workspace, old: Json, args: Args) -> Json:
    # Slack keeps the blocks of a message that is updated without the argument; an empty list removes them.
    kept = "blocks" not in args and old["blocks"] and old["blocks"][0]["type"] != "rich_text"
    if kept and args.text("text"):
        return {**old, **_metadata(args), "text": args.text("text")}
    text, blocks, extra = _content(args)
    made = chat.by_bot(ws, text, blocks, extra)
    return {**old, **extra, "text": made["text"], "blocks": made["blocks"]}


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
    channel = _open_to_bot(ws, ws.board.channel(args.text("channel")))
    name = args.text("name").strip(":")
    if not name:
        raise SlackError("invalid_name")
    chat.react(ws, ws.app.bot_user, channel, args.text("timestamp"), name, on=on)
    return {}


def _reactions(ws: Workspace, args: Args) -> Json:
    channel = conversation(ws, args, "history")
    message = ws.board.message(channel.id, args.text("timestamp"))
    return {"type": "message", "channel": channel.id, "message": public(message)}


def respond(ws: Workspace, key: str, body: Json) -> None:
    """Do what a POST to a response_url asks; raise `expired_url`, `used_url`, `no_text`, `invalid_blocks`."""
    hook = ws.hooks.use(key)
    channel = ws.board.channel(hook.channel_id)
    deletes = bool(body.get("delete_original"))
    if not hook.message_ts or not (deletes or body.get("replace_original")):
        answer(ws, channel, hook.user_id, body, str(body.get("thread_ts") or hook.thread_ts))
    elif hook.is_ephemeral:
        _rewrite_whisper(ws, channel, hook.user_id, hook.message_ts, None if deletes else body)
    elif deletes:
        chat.delete(ws, ws.app.bot_user, channel, hook.message_ts)
    else:
        _update(ws, Args({"blocks": [], **body, "channel": channel.id, "ts": hook.message_ts}))


def _rewrite_whisper(ws: Workspace, channel: Channel, user_id: str, ts: str, body: Json | None) -> None:
    _, old = ws.board.whispers[channel.id].pop(ts, (user_id, {"ts": ts}))
    if body is None:
        ws.audience.tell({"type": "message_deleted", "channel": channel.id, "ts": ts}, [user_id])
        return
    text, blocks, extra = _content(Args(body))
    message = chat.by_bot(ws, text, blocks, extra) | {"ts": ts}
    chat.whisper(ws, channel, user_id, message, old.get("thread_ts", ""))


def _join(ws: Workspace, args: Args) -> Json:
    channel = ws.board.channel(args.text("channel"))
    require(ws, "channels:join")
    if ws.app.bot_user not in channel.members:
        channel.members.append(ws.app.bot_user)
    return {"channel": channel.conversation(ws.app.bot_user)}


CHAT_METHODS = {
    "chat.postMessage": Method(_post, "chat:write"),
    "chat.postEphemeral": Method(_whisper, "chat:write"),
    "chat.update": Method(_update, "chat:write"),
    "chat.delete": Method(_delete, "chat:write"),
    "chat.getPermalink": Method(_permalink),
    "conversations.join": Method(_join),
    "reactions.add": Method(lambda ws, args: _react(ws, args, on=True), "reactions:write"),
    "reactions.remove": Method(lambda ws, args: _react(ws, args, on=False), "reactions:write"),
    "reactions.get": Method(_reactions, "reactions:read"),
}
