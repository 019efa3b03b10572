"""Conversations, messages, threads and ephemeral messages of the workspace."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator

from bot.practice.blocks import ALLOWED
from bot.practice.people import Channel
from bot.practice.wire import Json, SlackError

_THREAD_KEYS = (
    "thread_ts",
    "reply_count",
    "reply_users_count",
    "latest_reply",
    "reply_users",
    "is_locked",
    "subscribed",
)
INTERACTIVE = (ALLOWED["actions"] | ALLOWED["input"] | ALLOWED["context_actions"]) - {"image"}


class Board:
    """The store of messages by channel and ts. Each ts is unique in the workspace and larger than the one before.

    `ephemerals` holds the ephemeral messages: channel id → ts → (user id, message).
    """

    def __init__(self, channels: Iterable[Channel], bot_user: str, clock: Callable[[], float]) -> None:
        self.channels = {channel.id: channel for channel in channels}
        self.messages: dict[str, dict[str, Json]] = {}
        self.ephemerals: dict[str, dict[str, tuple[str, Json]]] = {}
        self._previous: dict[tuple[str, str], list[Json]] = {}
        self._threads: dict[tuple[str, str], list[str]] = {}
        self._bot_user = bot_user
        self._clock = clock
        self._last_ts = 0

    def ts(self) -> str:
        """Return a new message ts."""
        self._last_ts = max(int(self._clock() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def channel(self, channel_id: str) -> Channel:
        if channel_id not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[channel_id]

    def dm(self, user_id: str) -> Channel:
        """Return the DM between a person and the bot; open it first if necessary."""
        channel_id = "D" + user_id[1:]
        if channel_id not in self.channels:
            members = [user_id, self._bot_user]
            self.channels[channel_id] = Channel(channel_id, "", members, is_private=True, is_im=True, user=user_id)
        return self.channels[channel_id]

    def channels_of(self, user_id: str) -> Iterator[Channel]:
        """Return the conversations that a person is a member of."""
        return (channel for channel in self.channels.values() if user_id in channel.members)

    def message(self, channel_id: str, ts: str) -> Json:
        message = self.messages.get(channel_id, {}).get(ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def put(self, channel_id: str, message: Json) -> Json | None:
        """Add a message. For a reply, return the thread's parent with its new reply counts; otherwise None."""
        self.messages.setdefault(channel_id, {})[message["ts"]] = message
        return self._add_to_thread(channel_id, message)

    def _add_to_thread(self, channel_id: str, message: Json) -> Json | None:
        root = message.get("thread_ts")
        if not root or root == message["ts"]:
            return None
        self._threads.setdefault((channel_id, root), []).append(message["ts"])
        return self._update_parent(channel_id, root)

    def _update_parent(self, channel_id: str, root: str) -> Json | None:
        parent = self.messages[channel_id].get(root)
        if parent is None:
            return None
        for key in _THREAD_KEYS:
            parent.pop(key, None)
        if replies := self._threads.get((channel_id, root)):
            users = list(dict.fromkeys(self.messages[channel_id][ts].get("user", "") for ts in replies))
            values = (root, len(replies), len(users), replies[-1], users[:5], False, True)
            parent |= dict(zip(_THREAD_KEYS, values, strict=True))
        return parent

    def replace(self, channel_id: str, message: Json) -> Json:
        """Replace a message with its new version and return the old one."""
        old = self.messages[channel_id][message["ts"]]
        self.messages[channel_id][message["ts"]] = message
        self._previous[channel_id, message["ts"]] = old.get("blocks", [])
        return old

    def previous_blocks(self, channel_id: str, ts: str) -> list[Json]:
        """Return the blocks from before the last change, because a person may press a button just as it is removed."""
        return self._previous.get((channel_id, ts), [])

    def drop(self, channel_id: str, ts: str) -> Json | None:
        """Remove a message. For a reply, return the thread's parent with its new reply counts; otherwise None."""
        message = self.messages[channel_id].pop(ts)
        root = message.get("thread_ts")
        if not root or root == ts:
            return None
        self._threads[channel_id, root].remove(ts)
        return self._update_parent(channel_id, root)

    def channel_messages(self, channel_id: str) -> list[Json]:
        """Return the messages of the channel itself, oldest first. Replies are left out unless they were broadcast."""
        return [message for message in self.messages.get(channel_id, {}).values() if not in_thread_only(message)]

    def thread(self, channel_id: str, root: str) -> list[Json]:
        """Return a thread, parent first. As on Slack, the ts of a reply gives only that reply.

        Raises:
            SlackError: `thread_not_found`.
        """
        messages = self.messages.get(channel_id, {})
        if root not in messages:
            raise SlackError("thread_not_found")
        return [messages[root], *(messages[ts] for ts in self._threads.get((channel_id, root), []))]

    def post_ephemeral(self, channel_id: str, user_id: str, message: Json) -> None:
        """Store an ephemeral message. Slack does not store these, but the page shows them again after a reload."""
        self.ephemerals.setdefault(channel_id, {})[message["ts"]] = (user_id, message)

    def ephemeral_messages(self, channel_id: str, user_id: str, thread_ts: str | None) -> list[Json]:
        """Return a person's ephemeral messages in a channel, or in one of its threads if `thread_ts` is given."""
        kept = self.ephemerals.get(channel_id, {}).values()
        return [message for to, message in kept if to == user_id and message.get("thread_ts") == thread_ts]

    def dump(self) -> Json:
        dms = [channel.user for channel in self.channels.values() if channel.is_im]
        return {"dms": dms, "messages": {key: list(value.values()) for key, value in self.messages.items()}}

    def load(self, saved: Json) -> None:
        for user_id in saved["dms"]:
            self.dm(user_id)
        for channel_id, messages in saved["messages"].items():
            self.messages[channel_id] = {message["ts"]: message for message in messages}
            for message in messages:
                self._add_to_thread(channel_id, message)
                self._last_ts = max(self._last_ts, int(message["ts"].replace(".", "")))


def in_thread_only(message: Json) -> bool:
    return message.get("thread_ts", message["ts"]) != message["ts"] and message.get("subtype") != "thread_broadcast"


def deep_copy(message: Json) -> Json:
    """Return a deep copy of a JSON object."""
    copy: Json = json.loads(json.dumps(message))
    return copy


def public(message: Json, *, metadata: bool = False) -> Json:
    """Return a message as Slack shows it: without its metadata, unless `metadata` is true."""
    return {key: value for key, value in message.items() if metadata or key != "metadata"}


def with_ids(blocks: list[Json]) -> list[Json]:
    """Return the blocks as Slack stores them: every block and element has an id, every text has its defaults."""
    return [{"block_id": secrets.token_urlsafe(4)} | _with_defaults(block) for block in blocks]


def _with_defaults(value: Json) -> Json:
    filled = {key: _with_inner_defaults(inner) for key, inner in value.items()}
    kind = value.get("type")
    if kind == "plain_text":
        return {"emoji": True} | filled
    if kind == "mrkdwn":
        return {"verbatim": False} | filled
    return ({"action_id": secrets.token_urlsafe(4)} if kind in INTERACTIVE else {}) | filled


def _with_inner_defaults(value: object) -> object:
    if isinstance(value, dict):
        return _with_defaults(value)
    return [_with_inner_defaults(inner) for inner in value] if isinstance(value, list) else value
