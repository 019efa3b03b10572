"""Which messages are questions to us, and how they reached us. The same in words: docs/slack.md."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from bot.domain.question import ArrivalKind, Place, Via
from handlers.slack.people import SLACKBOT
from handlers.texts.escape import written

Event = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """A message that may be for us, before it is known who wrote it."""

    kind: ArrivalKind
    via: Via
    message: Event
    channel: str
    said: str = ""
    """Of an edit: when it was made, as a ts."""


class Policy:
    """Which messages are for us. `watched` are the channels whose every top-level message is a question."""

    def __init__(self, bot_user_id: str, watched: Collection[str]) -> None:
        self._bot_user_id = bot_user_id
        self._watched = frozenset(watched)

    def heard(self, event: Event) -> Heard | None:
        """What an `app_mention` or `message` event asks of us, or None."""
        if event.get("subtype") == "message_changed":
            return self._edited(event)
        if event.get("subtype") not in {None, "file_share"} or event.get("hidden") or self._is_bots(event):
            return None
        via = Via.MENTION if event["type"] == "app_mention" else self._via(event, event["channel"], event)
        # In a channel a message with a mention comes in twice; the app_mention is the one that counts.
        if via is None or (event["type"] == "message" and via is Via.MENTION):
            return None
        return Heard(ArrivalKind.ASKED, via, event, event["channel"])

    def found(self, message: Event, channel: str) -> Heard | None:
        """What a message of a channel's history asks of us: the same as if it had just come."""
        mentioned = f"<@{self._bot_user_id}" in written(message)
        return self.heard({**message, "type": "app_mention" if mentioned else "message", "channel": channel})

    def _edited(self, event: Event) -> Heard | None:
        """An edit by a person that changed the text; Slack also reports unfurled links and new replies as changes."""
        message, before = event.get("message") or {}, event.get("previous_message") or {}
        same = written(message) == written(before)
        if same or not message.get("edited") or self._is_bots(message):
            return None
        via = self._via(event, event["channel"], message)
        said = event.get("event_ts") or event.get("ts") or ""
        return Heard(ArrivalKind.EDITED, via, message, event["channel"], said) if via else None

    def _is_bots(self, message: Event) -> bool:
        user = message.get("user")
        by_app = message.get("bot_id") or message.get("app_id") or message.get("bot_profile")
        return bool(by_app) or not user or user in {self._bot_user_id, SLACKBOT}

    def _via(self, event: Event, channel: str, message: Event) -> Via | None:
        """How a message reached us; None where it is talk between people."""
        thread = message.get("thread_ts")
        top_level = not thread or thread == message.get("ts")
        mentioned = f"<@{self._bot_user_id}" in written(message)
        if event.get("channel_type") == "im" or channel.startswith("D"):
            return Via.DM if top_level or mentioned else None
        if mentioned:
            return Via.MENTION
        return Via.CHANNEL if top_level and channel in self._watched else None


def place_of(team: str, channel: str, message: Event) -> Place:
    """Where a message stands; a thread's root is in no thread."""
    ts, thread = message["ts"], message.get("thread_ts")
    return Place(team=team, channel=channel, ts=ts, thread_ts=thread if thread != ts else None)


def has_files(message: Event) -> bool:
    """Whether there is something besides text: files, or a forwarded message."""
    return bool(message.get("files") or message.get("attachments"))
