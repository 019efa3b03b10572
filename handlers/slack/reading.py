"""The text of a message, with the other messages that it is about: forwarded ones, and those of its thread.

Other people's words are read only if Slack says that their author is a member. The channel of a forwarded message must
also be public, or the conversation itself. Slack may leave these facts out; then the words are not read.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.audience import Audience
from bot.domain.consent import Author, Consent
from bot.domain.errors import Undelivered
from bot.domain.intake import words_of
from bot.domain.question import Arrival, Place, Unread
from handlers.slack.channels import ChannelAudiences
from handlers.slack.content import Content, content_of
from handlers.slack.failures import SLACK_FAILURES, TRANSIENT_ERRORS, error_name
from handlers.slack.people import People, SlackUser, is_by_app, is_foreign
from handlers.texts.blocks import objects
from handlers.texts.escape import plain_text

MOST_FORWARDS = 3
"""Maximum number of forwarded messages that are read, because each needs look-ups before the ack."""
REPLIES_PAGE, REPLIES_PAGES = 200, 5
"""Size and maximum number of the pages of a thread that are read. In a longer thread only the root is read."""
THREAD_SECONDS = 20.0
"""Longest time to read a thread, in seconds: much shorter than the lease of an arrival."""
SPOKEN = (None, "file_share", "thread_broadcast")
"""Subtypes of messages that a person wrote."""
USER_ID, CHANNEL_ID = re.compile(r"[UW][A-Z0-9_]+"), re.compile(r"[CDG][A-Z0-9_]+")
TS = re.compile(r"\d{1,12}\.\d{1,6}")


@dataclass
class Reading:
    """The parts of a message. The fields are those of an `Arrival`."""

    text: str
    quotes: list[str] = field(default_factory=list)
    authors: list[Author] = field(default_factory=list)
    unread: dict[str, None] = field(default_factory=dict)
    """The lines of `Arrival.unread`, each once, in order."""

    def fields(self) -> dict[str, Any]:
        """Return the fields of the arrival."""
        return {
            "text": self.text,
            "quotes": tuple(self.quotes),
            "authors": tuple(self.authors),
            "unread": "\n".join(self.unread),
        }

    def agreed(self, *asker: str) -> "Reading":
        """Return the reading with the agreement of these people: who asks with their own words agrees to their use.

        They stay among the authors, so that the question goes when the message with these words is deleted.
        """
        yes = {"consent": Consent.YES}
        return replace(self, authors=[one.model_copy(update=yes) if one.id in asker else one for one in self.authors])

    def mark(self, *unread: str) -> None:
        self.unread.update(dict.fromkeys(filter(None, unread)))


class MessageReader:
    """A reader of messages with what they forward, before their event is acked.

    Later, as the `Threads` port, it reads their threads.

    Args:
        client: The Web API.
        people: Looks authors up.
        audiences: Looks channels up.
    """

    def __init__(self, client: AsyncWebClient, people: People, audiences: ChannelAudiences) -> None:
        self._client = client
        self.people = people
        self._audiences = audiences

    async def read_message(self, message: Mapping[str, Any], channel: str) -> Reading:
        """Return what a member's message says, with what it forwards. The caller has looked its author up.

        Raises:
            SlackApiError, aiohttp.ClientError, TimeoutError, Undelivered: Slack gave no answer; it may give one later.
        """
        content = content_of(message)
        reading = Reading(self._plain(content.text))
        reading.mark(*content.unread.split("\n"))
        await self._add_forwards(reading, content, channel)
        return reading.agreed(message["user"])

    async def read(self, arrival: Arrival) -> Arrival:
        place, reading = arrival.place, Reading(arrival.text, authors=list(arrival.authors))
        reading.mark(*arrival.unread.split("\n"))
        try:
            async with asyncio.timeout(THREAD_SECONDS):
                await self._add_thread(reading, place)
        except SLACK_FAILURES as error:
            raise Undelivered(error_name(error) or type(error).__name__, final=False) from error
        known = [author.id for author in arrival.authors]
        return arrival.model_copy(update=reading.agreed(*{arrival.asker} - set(known)).fields())

    # --- forwarded messages

    async def _add_forwards(self, reading: Reading, content: Content, channel: str) -> None:
        for n, forward in enumerate(content.forwards):
            if n >= MOST_FORWARDS or not await self._add_forward(reading, forward, channel):
                reading.mark(Unread.FORWARD)

    async def _add_forward(self, reading: Reading, forward: Mapping[str, Any], channel: str) -> bool:
        """Add a forwarded message; return False if it may not be read or says nothing."""
        source = forward.get("channel_id")
        if is_by_app(forward) or forward.get("msg_subtype") or not _is_id(CHANNEL_ID, source):
            return False
        author = await self._member(forward.get("author_id"), {"user_team": forward.get("channel_team")})
        if author is None or not await self._is_open(str(source), channel):
            return False
        return self._add_quote(reading, content_of(_original(forward)), _author(author, str(source), forward))

    async def _is_open(self, source: str, channel: str) -> bool:
        """Return whether what is written in the channel `source` may be read in this conversation."""
        audience = await self._audiences.of(source)
        return audience is Audience.PUBLIC or (source == channel and audience is not Audience.UNKNOWN)

    # --- threads

    async def _add_thread(self, reading: Reading, place: Place) -> None:
        try:
            root, before = await self._messages_before(place)
        except SlackApiError as error:
            if _may_pass(error):
                raise
            root, before = None, None
        if root is None or not await self._add_message(reading, root, place.channel):
            reading.mark(Unread.THREAD)
        if before and not is_by_app(before) and not await self._add_message(reading, before, place.channel):
            reading.mark(Unread.THREAD)

    async def _messages_before(self, place: Place) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return the root of the thread and the message right before this place, if they are known."""
        root = before = cursor = None
        for _ in range(REPLIES_PAGES):
            page = await self._client.conversations_replies(
                channel=place.channel, ts=place.thread, latest=place.ts, limit=REPLIES_PAGE, cursor=cursor
            )
            for one in objects(page.get("messages")):
                if one.get("ts") == place.thread:
                    root = one
                elif _time(one.get("ts")) < _time(place.ts):
                    before = one
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return root, before
        return root, None

    async def _add_message(self, reading: Reading, message: Mapping[str, Any], channel: str) -> bool:
        """Add a message of a thread, with what it forwards; return False if it may not be read or says nothing."""
        if is_by_app(message) or message.get("subtype") not in SPOKEN:
            return False
        author = await self._member(message.get("user"), message)
        if author is None:
            return False
        content, before = content_of(message), len(reading.quotes)
        self._add_quote(reading, content, _author(author, channel, message))
        await self._add_forwards(reading, content, channel)
        return len(reading.quotes) > before

    # --- both

    async def _member(self, user_id: Any, message: Mapping[str, Any]) -> SlackUser | None:
        """Return the author if Slack says that it is a member of the organisation, and None for anybody else.

        Slack does not tell a guest from a member once the account is deactivated.
        """
        if not _is_id(USER_ID, user_id):
            return None
        try:
            person = await self.people.get(user_id)
        except SlackApiError as error:
            if _may_pass(error):
                raise
            return None
        strange = person.outsider or person.is_bot or person.deleted or is_foreign(message, person, self.people.home)
        return None if strange else person

    def _add_quote(self, reading: Reading, content: Content, author: Author) -> bool:
        """Add the words of a message and what is not read of it; return False if there are no words."""
        text = self._plain(content.text)
        reading.mark(*content.unread.split("\n"))
        if not words_of(text):
            return False
        reading.quotes.append(text)
        reading.authors.append(author)
        return True

    def _plain(self, text: str) -> str:
        return plain_text(text, self.people.home.bot_user_id)


def _original(forward: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message that an attachment forwards, as far as Slack tells it."""
    inner = (holder.get("message") for holder in objects(forward.get("message_blocks")))
    blocks: Sequence[Any] = [block for one in objects(list(inner)) for block in objects(one.get("blocks"))]
    blocks = blocks or list(objects(forward.get("blocks")))
    return {"text": forward.get("text"), "blocks": blocks, "files": forward.get("files")}


def _author(author: SlackUser, channel: str, message: Mapping[str, Any]) -> Author:
    ts = message.get("ts")
    return Author(id=author.id, channel=channel, ts=ts if _is_id(TS, ts) else "")


def _is_id(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _time(ts: Any) -> float:
    return float(ts) if isinstance(ts, str) and TS.fullmatch(ts) else float("inf")


def _may_pass(error: SlackApiError) -> bool:
    """Return whether a later try may succeed."""
    name = error_name(error)
    return name is None or name in TRANSIENT_ERRORS
