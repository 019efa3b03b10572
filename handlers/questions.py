"""The story of a question: from a message in Slack to an arrival that is written down before Slack gets its ack.

Bolt acks an event before its listener runs, so a listener is too late: the writing is done by a middleware, and when it
raises there is no ack and Slack delivers again. Which messages are questions: handlers/policy.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.question import Arrival, Place, Via
from handlers.context import Context
from handlers.slack.failures import error_name
from handlers.slack.people import Home, People, SlackUser
from handlers.slack.policy import Event, Heard, has_files, place_of
from handlers.slack.private import spot_of
from handlers.texts.escape import plain_text, written
from handlers.views import ids

EVENTS = ("app_mention", "message")
UNSEEN = frozenset({"channel_not_found", "not_in_channel", "missing_scope", "no_permission"})


class QuestionListeners:
    """Writes arrivals down, and wakes a worker."""

    def __init__(self, context: Context) -> None:
        self._answering = context.slack.answering
        self._people = context.people
        self._policy = context.policy
        self._wake = context.wake.answerers

    async def write_down(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's name
        """A global middleware. Raises whatever Slack or the database raises: then there is no ack."""
        event = body.get("event") or {}
        heard = self._policy.heard(event) if event.get("type") in EVENTS else None
        shared = bool(body.get("is_ext_shared_channel"))
        arrival = await arrival_of(self._people, heard, body["event_id"], shared=shared) if heard else None
        if arrival and await self._answering.receive(arrival):
            self._wake()
        await next()


async def arrival_of(people: People, heard: Heard, event_id: str, *, shared: bool) -> Arrival | None:
    """The arrival that a message is; None where a bot wrote it. `shared`: another organisation reads the channel, too.

    Raises:
        SlackApiError, aiohttp.ClientError, TimeoutError: nobody knows who wrote it.
    """
    message, home = heard.message, people.home
    person = await people.get(message["user"])
    if person.is_bot:
        return None
    outsider = person.outsider or is_foreign(message, home) or shared
    return Arrival(
        event_id=event_id,
        kind=heard.kind,
        via=heard.via,
        place=place_of(home.team, heard.channel, message),
        asker=person.id,
        text="" if outsider else plain_text(written(message), home.bot_user_id),
        language=person.language,
        has_files=has_files(message),
        outsider=outsider,
        said=heard.said,
    )


class Shortcut:
    """The message shortcut. Every press gets a private answer."""

    def __init__(self, context: Context) -> None:
        self._answering = context.slack.answering
        self._people = context.people
        self._home = context.people.home
        self._private = context.private
        self._wake = context.wake.answerers

    async def ask(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        spot = spot_of(body)
        presser = await self._people.get(spot.user)
        key, facts = await self._asked(body, presser, client)
        await self._private.tell(spot, presser.words(key, **facts))
        await ack()

    async def _asked(
        self, body: dict[str, Any], presser: SlackUser, client: AsyncWebClient
    ) -> tuple[str, dict[str, str]]:
        """Hand the message over if it may be; the text that tells the presser, and its facts."""
        message, channel = body["message"], body["channel"]["id"]
        if presser.outsider:
            return "ask.outsider", {}
        if message.get("bot_id") or not message.get("user"):
            return "ask.bot", {}
        author = await self._people.get(message["user"])
        if author.is_bot:
            return "ask.bot", {}
        outsider = author.outsider or is_foreign(message, self._home)
        refusal = "ask.outsider" if outsider else await refused_here(channel, presser, client)
        if refusal:
            return refusal, {}
        place = place_of(self._home.team, channel, message)
        link = await self._answer_link(place, client)
        if link:
            return "ask.already", {"link": link}
        arrival = Arrival(
            event_id=f"shortcut:{channel}:{place.ts}:{body['trigger_id']}",
            via=Via.SHORTCUT,
            place=place,
            asker=author.id,
            text=plain_text(written(message), self._home.bot_user_id),
            language=author.language,
            has_files=has_files(message),
        )
        if await self._answering.receive(arrival):
            self._wake()
        return "ask.taken", {}

    async def _answer_link(self, place: Place, client: AsyncWebClient) -> str | None:
        """The address of the answer that this message already has."""
        question = await self._answering.answered(place.team, place.channel, place.ts)
        if question is None or question.card_ts is None:
            return None
        answer = await client.chat_getPermalink(channel=place.channel, message_ts=question.card_ts)
        return str(answer["permalink"])


def is_foreign(message: Event, home: Home) -> bool:
    """Whether another organisation stands on the message as its author's (Slack Connect)."""
    theirs = message.get("user_team") or message.get("source_team")
    return theirs not in {None, home.team, home.enterprise}


async def refused_here(channel: str, presser: SlackUser, client: AsyncWebClient) -> str | None:
    """Why nothing can be answered in this conversation."""
    if channel.startswith("D"):
        # A direct message is ours, or it is of two people and none of our business. Asking so needs no further scope.
        ours = (await client.conversations_open(users=presser.id))["channel"]["id"]
        return None if channel == ours else "ask.not_in_channel"
    try:
        info = (await client.conversations_info(channel=channel))["channel"]
    except SlackApiError as error:
        if error_name(error) in UNSEEN:
            return "ask.not_in_channel"
        raise
    if info.get("is_ext_shared") or info.get("is_pending_ext_shared"):
        return "ask.outsider"
    # A server may leave it out. Where we are no member after all, the post fails and its asker is told so.
    return "ask.not_in_channel" if info.get("is_member") is False else None


async def _nothing() -> None:
    """All is done before the ack."""


def register(app: AsyncApp, context: Context) -> None:
    """Register the two events that bring questions, and the message shortcut."""
    app.use(QuestionListeners(context).write_down)
    for event in EVENTS:
        app.event(event)(_nothing)
    app.shortcut(ids.ASK)(Shortcut(context).ask)
