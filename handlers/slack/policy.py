"""The rules that decide which messages are questions for the bot. docs/slack.md has the same rules in words."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bot.domain.question import ArrivalKind, Place, Via
from handlers.slack.content import content_of
from handlers.slack.moved import MovedChannels
from handlers.slack.people import SLACKBOT, is_by_app
from handlers.texts.escape import message_text
from handlers.texts.typed import find_command

Event = dict[str, Any]


@dataclass(frozen=True)
class AddressedMessage:
    """A message that is addressed to the bot. Its author has not been looked up yet."""

    kind: ArrivalKind
    via: Via
    message: Event
    channel: str
    edited_ts: str = ""
    """Time of the edit, as a ts; empty for a new message."""


class Policy:
    """The rules by which messages are addressed to the bot.

    Args:
        bot_user_id: The bot's user id.
        watched: Ids of the channels in which every top-level message is a question.
        moved: Channels that got new ids.
    """

    def __init__(self, bot_user_id: str, watched: Collection[str], moved: MovedChannels | None = None) -> None:
        self._bot_user_id = bot_user_id
        self._watched = frozenset(watched)
        self._moved = moved or MovedChannels()

    def watches(self, channel: str) -> bool:
        return channel in map(self._moved.now, self._watched)

    def from_event(self, event: Event) -> AddressedMessage | None:
        """Return the message of an `app_mention` or `message` event, or None if it is no question for the bot."""
        return None if self.posted_command(event) else self._addressed(event)

    def posted_command(self, event: Event) -> str | None:
        """Return the command that a person posted as a message, with a wide slash or behind a mention; else None."""
        command = find_command(message_text(event))
        return command if command and self._addressed(event) else None

    def _addressed(self, event: Event) -> AddressedMessage | None:
        if event.get("subtype") == "message_changed":
            return self._from_edit(event)
        if event.get("subtype") not in {None, "file_share"} or event.get("hidden") or self._is_by_app(event):
            return None
        via = Via.MENTION if event["type"] == "app_mention" else self._via(event, event["channel"], event)
        # In a channel Slack sends two events for a mention; only the app_mention counts.
        if via is None or (event["type"] == "message" and via is Via.MENTION):
            return None
        return AddressedMessage(ArrivalKind.ASKED, via, event, event["channel"])

    def from_history(self, message: Event, channel: str) -> AddressedMessage | None:
        """Return a message of a channel's history, or None, by the same rules as for its event."""
        mentioned = f"<@{self._bot_user_id}" in message_text(message)
        return self.from_event({**message, "type": "app_mention" if mentioned else "message", "channel": channel})

    def _from_edit(self, event: Event) -> AddressedMessage | None:
        """Return the message if a person changed its text. Slack also reports unfurled links and replies as changes."""
        message, before = event.get("message") or {}, event.get("previous_message") or {}
        unchanged = content_of(message).text == content_of(before).text
        if unchanged or not message.get("edited") or self._is_by_app(message):
            return None
        via = self._via(event, event["channel"], message)
        edited_ts = event.get("event_ts") or event.get("ts") or ""
        return AddressedMessage(ArrivalKind.EDITED, via, message, event["channel"], edited_ts) if via else None

    def _is_by_app(self, message: Event) -> bool:
        user = message.get("user")
        return is_by_app(message) or not user or user in {self._bot_user_id, SLACKBOT}

    def _via(self, event: Event, channel: str, message: Event) -> Via | None:
        """Return how a message reached the bot, or None if it is conversation between people."""
        thread = message.get("thread_ts")
        top_level = not thread or thread == message.get("ts")
        mentioned = f"<@{self._bot_user_id}" in message_text(message)
        if event.get("channel_type") == "im" or channel.startswith("D"):
            return Via.DM if top_level or mentioned else None
        if mentioned:
            return Via.MENTION
        return Via.CHANNEL if top_level and self.watches(channel) else None


def place_of(team: str, channel: str, message: Event) -> Place:
    """Return the place of a message. The root of a thread has no `thread_ts`."""
    ts, thread = message["ts"], message.get("thread_ts")
    return Place(team=team, channel=channel, ts=ts, thread_ts=thread if thread != ts else None)


def has_files(message: Event) -> bool:
    """Return whether a message has files or a forwarded message besides its text."""
    return bool(message.get("files") or message.get("attachments"))
