"""The story of a question: from a message in Slack to an arrival that is written down before Slack gets its ack.

Bolt acks an event before its listener runs, so a listener is too late: the writing is done by a middleware of the
listener, and when it raises there is no ack and Slack delivers again. The policy for each kind of message stands in
docs/slack.md.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.answering import Answering
from bot.domain.question import Arrival, ArrivalKind, Place, Via
from handlers.escape import plain_text
from handlers.people import SLACKBOT, Home, People

Event = dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """A message that may be for us, before it is known who wrote it."""

    kind: ArrivalKind
    via: Via
    message: Event
    channel: str


class Policy:
    """Which messages are for us. `watched` are the channels whose every top-level message is a question."""

    def __init__(self, home: Home, watched: Collection[str]) -> None:
        self._home = home
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

    def _edited(self, event: Event) -> Heard | None:
        """An edit by a person that changed the text; Slack also reports unfurled links and new replies as changes."""
        message, before = event.get("message") or {}, event.get("previous_message") or {}
        same = message.get("text") == before.get("text")
        if same or not message.get("edited") or self._is_bots(message):
            return None
        via = self._via(event, event["channel"], message)
        return Heard(ArrivalKind.EDITED, via, message, event["channel"]) if via else None

    def _is_bots(self, message: Event) -> bool:
        user = message.get("user")
        by_app = message.get("bot_id") or message.get("app_id") or message.get("bot_profile")
        return bool(by_app) or not user or user in {self._home.bot_user_id, SLACKBOT}

    def _via(self, event: Event, channel: str, message: Event) -> Via | None:
        """How a message reached us; None where it is talk between people."""
        thread = message.get("thread_ts")
        top_level = not thread or thread == message.get("ts")
        mentioned = f"<@{self._home.bot_user_id}" in (message.get("text") or "")
        if event.get("channel_type") == "im":
            return Via.DM if top_level or mentioned else None
        if mentioned:
            return Via.MENTION
        return Via.CHANNEL if top_level and channel in self._watched else None


class Questions:
    """Writes arrivals down. `wake` gets a worker to look at once."""

    def __init__(
        self, answering: Answering, people: People, policy: Policy, home: Home, wake: Callable[[], None]
    ) -> None:
        self._answering = answering
        self._people = people
        self._policy = policy
        self._home = home
        self._wake = wake

    async def write_down(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's name
        """A listener's middleware. Raises whatever Slack or the database raises: then there is no ack."""
        heard = self._policy.heard(body["event"])
        arrival = await self._arrival(body, heard) if heard else None
        if arrival and await self._answering.receive(arrival):
            self._wake()
        await next()

    async def _arrival(self, body: dict[str, Any], heard: Heard) -> Arrival | None:
        message = heard.message
        person = await self._people.get(message["user"])
        if person.is_bot:
            return None
        outsider = person.outsider or self._is_foreign(message) or bool(body.get("is_ext_shared_channel"))
        return Arrival(
            event_id=body["event_id"],
            kind=heard.kind,
            via=heard.via,
            place=place_of(self._home, heard.channel, message),
            asker=person.id,
            text="" if outsider else plain_text(message.get("text") or "", self._home.bot_user_id),
            language=person.language,
            has_files=has_files(message),
            outsider=outsider,
        )

    def _is_foreign(self, message: Event) -> bool:
        """Slack Connect: the author's organisation stands on the message."""
        theirs = message.get("user_team") or message.get("source_team")
        return theirs not in {None, self._home.team, self._home.enterprise}


def place_of(home: Home, channel: str, message: Event) -> Place:
    """Where a message stands; a thread's root is in no thread."""
    ts, thread = message["ts"], message.get("thread_ts")
    return Place(team=home.team, channel=channel, ts=ts, thread_ts=thread if thread != ts else None)


def has_files(message: Event) -> bool:
    """Whether there is something besides text: files, or a forwarded message."""
    return bool(message.get("files") or message.get("attachments"))


async def _nothing() -> None:
    """All is done before the ack."""


def register(app: AsyncApp, questions: Questions) -> None:
    """Register the two events that bring questions."""
    for event in ("app_mention", "message"):
        app.event(event, middleware=[questions.write_down])(_nothing)
