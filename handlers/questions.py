"""How a message in Slack becomes an arrival in the inbox, before Slack gets its ack.

Bolt acks an event before its listener runs, which is too early. Therefore a middleware stores the arrival: if the
middleware raises, there is no ack and Slack delivers the event again. The file handlers/slack/policy.py decides which
messages are questions.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.consent import Author
from bot.domain.question import Arrival, Place, Via
from handlers.context import Context
from handlers.slack.channels import is_shared
from handlers.slack.failures import error_name
from handlers.slack.people import SlackUser, is_by_app, is_foreign
from handlers.slack.policy import AddressedMessage, has_files, place_of
from handlers.slack.private import Spot, spot_of
from handlers.slack.reading import SPOKEN, MessageReader, Reading
from handlers.texts.escape import escaped
from handlers.views import ids
from handlers.views.limit import limit_facts

EVENTS = ("app_mention", "message")
NO_ACCESS_ERRORS = frozenset({"channel_not_found", "not_in_channel", "missing_scope", "no_permission"})
"""Slack's errors for a channel that the bot cannot read."""
REMEMBERED_DELETIONS = 1_000
"""Deleted messages that are remembered for a message whose own event is still at work."""


class QuestionMiddleware:
    """A middleware that stores arrivals in the inbox and wakes a worker."""

    def __init__(self, context: Context) -> None:
        self._answering = context.slack.answering
        self._reader = context.reader
        self._audiences = context.audiences
        self._policy = context.policy
        self._people = context.people
        self._private = context.private
        self._wake = context.wake.answerers
        self._sending = context.acts.sending
        self._forgetting = context.acts.forgetting
        self._wake_deliverers = context.wake.deliverers
        self._deleted: dict[Place, None] = {}
        """The messages that were deleted lately: one may be stored only now, because long text takes its time."""

    async def store(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's name
        """Store the event if it is a question, then let Bolt go on.

        Raises:
            Exception: Whatever Slack or the database raises. Slack then gets no ack and delivers again.
        """
        event = body.get("event") or {}
        addressed = self._policy.from_event(event) if event.get("type") in EVENTS else None
        shared = bool(body.get("is_ext_shared_channel"))
        arrival = await arrival_of(self._reader, addressed, body["event_id"], shared=shared) if addressed else None
        if arrival:
            arrival = arrival.model_copy(update={"audience": await self._audiences.of_event(event)})
        if arrival and await self._answering.receive(arrival):
            self._wake()
            if arrival.place in self._deleted:
                await self._forget(arrival.place)
        if event.get("type") == "message" and (deleted := deleted_ts(event)):
            place = Place(team=self._people.home.team, channel=event["channel"], ts=deleted)
            # Before the store is searched: an arrival that is stored meanwhile meets either this note or the search.
            self._remember(place)
            await self._forget(place)
        elif event.get("type") in EVENTS and (command := self._policy.posted_command(event)):
            await self._explain(event, command)
        elif addressed is None and is_reply(event):
            await self._pass_on(event)
        await next()

    def _remember(self, deleted: Place) -> None:
        self._deleted[deleted] = None
        if len(self._deleted) > REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]

    async def _forget(self, place: Place) -> None:
        if await self._forgetting.message_deleted(place):
            self._wake_deliverers()

    async def _explain(self, event: dict[str, Any], command: str) -> None:
        """Tell a person who posted a command as a message, in private, how to type it."""
        spot = Spot(event["user"], event["channel"], event.get("thread_ts"), None)
        words = await self._people.words(spot.user)
        await self._private.tell(spot, words("finetune.message", command=escaped(command, 200).replace("`", "")))

    async def _pass_on(self, event: dict[str, Any]) -> None:
        """Pass a reply to a sent direct message on to its asker."""
        if await self._sending.pass_on(event["channel"], event["thread_ts"], event["ts"]):
            self._wake_deliverers()


def deleted_ts(event: Mapping[str, Any]) -> str | None:
    """Return the ts of the message that an event reports as deleted. A root with replies leaves a tombstone."""
    if event.get("subtype") == "message_deleted":
        return event.get("deleted_ts")
    message = event.get("message") or {}
    buried = event.get("subtype") == "message_changed" and message.get("subtype") == "tombstone"
    return message.get("ts") if buried else None


def is_reply(event: Mapping[str, Any]) -> bool:
    """Return whether an event is a person's new message in a thread."""
    by_person = event.get("user") and event.get("subtype") in SPOKEN and not is_by_app(event)
    thread = event.get("thread_ts")
    return event.get("type") == "message" and bool(by_person and thread and thread != event.get("ts"))


async def arrival_of(
    reader: MessageReader, addressed: AddressedMessage, event_id: str, *, shared: bool
) -> Arrival | None:
    """Return the arrival for a message, or None if a bot wrote it. The arrival of an outsider carries no text.

    Args:
        reader: Looks the author up and reads the message.
        addressed: The message.
        event_id: The arrival's unique id.
        shared: Whether another organisation reads the channel too.

    Raises:
        SlackApiError, aiohttp.ClientError, TimeoutError: Slack does not tell who an author is.
        Undelivered: Slack does not tell who reads a channel.
    """
    message = addressed.message
    person = await reader.people.get(message["user"])
    home = reader.people.home  # only now, because the lookup may learn the enterprise
    if person.is_bot:
        return None
    outsider = person.outsider or is_foreign(message, person, home) or shared
    reading = Reading("") if outsider else await reader.read_message(message, addressed.channel)
    return Arrival(
        event_id=event_id,
        kind=addressed.kind,
        via=addressed.via,
        place=place_of(home.team, addressed.channel, message),
        asker=person.id,
        language=person.language,
        has_files=has_files(message),
        outsider=outsider,
        said=addressed.edited_ts,
        **reading.fields(),
    )


class AskShortcut:
    """The message shortcut *Ask Madoguchi*. Every use gets a private answer."""

    def __init__(self, context: Context) -> None:
        self._answering = context.slack.answering
        self._caring = context.acts.caring
        self._people = context.people
        self._reader = context.reader
        self._audiences = context.audiences
        self._private = context.private
        self._wake = context.wake.answerers

    async def ask(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        spot = spot_of(body)
        presser = await self._people.get(spot.user)
        channel, message = body["channel"]["id"], body["message"]
        event_id = f"shortcut:{channel}:{message['ts']}:{body['trigger_id']}"
        key, facts = await self.submit(message, channel, presser, event_id, client, pressed=True)
        await self._private.tell(spot, presser.words(key, **facts))
        await ack()

    async def submit(
        self,
        message: Mapping[str, Any],
        channel: str,
        presser: SlackUser,
        event_id: str,
        client: AsyncWebClient,
        *,
        pressed: bool = False,
    ) -> tuple[str, dict[str, Any]]:
        """Store the message as a question if that is allowed; return the key and the facts of the answer.

        With `pressed`, a person waits for an answer to each use, also beyond the limit of questions per hour.
        """
        author = None if message.get("bot_id") or not message.get("user") else await self._people.get(message["user"])
        refusal = await self._refusal(message, channel, presser, author, client)
        if refusal or author is None:
            return refusal or "ask.bot", {}
        place = place_of(self._people.home.team, channel, dict(message))
        link = await self._answer_link(place, client)
        if link:
            return "ask.already", {"link": link}
        arrival = await self._arrival(message, place, presser, author, event_id)
        limit = await self._answering.limit_of(presser.id) if pressed else None
        if limit and not await self._caring.needs_help(arrival.whole):
            return "limit.reached", limit_facts(limit)
        if await self._answering.receive(arrival):
            self._wake()
        return "ask.taken", {}

    async def _refusal(
        self,
        message: Mapping[str, Any],
        channel: str,
        presser: SlackUser,
        author: SlackUser | None,
        client: AsyncWebClient,
    ) -> str | None:
        """Return the key of the text that says why the message is not taken up; None if it is."""
        if presser.outsider:
            return "ask.outsider"
        if author is None or author.is_bot:
            return "ask.bot"
        if author.outsider or is_foreign(message, author, self._people.home):
            return "ask.outsider"
        if await self._answering.is_forgotten(place_of(self._people.home.team, channel, dict(message))):
            return "ask.forgotten"
        return await channel_refusal(channel, presser, client)

    async def _arrival(
        self, message: Mapping[str, Any], place: Place, presser: SlackUser, author: SlackUser, event_id: str
    ) -> Arrival:
        reading = await self._reader.read_message(message, place.channel)
        if author.id != presser.id:
            # The author asked nothing, so nobody has agreed yet to any use of the words but the answer.
            reading.authors.insert(0, Author(id=author.id, channel=place.channel, ts=place.ts))
        return Arrival(
            event_id=event_id,
            via=Via.SHORTCUT,
            place=place,
            asker=author.id,
            language=author.language,
            has_files=has_files(dict(message)),
            audience=await self._audiences.of_now(place.channel),
            presser="" if author.id == presser.id else presser.id,
            **reading.fields(),
        )

    async def _answer_link(self, place: Place, client: AsyncWebClient) -> str | None:
        """Return the permalink of the answer that this message already has, or None."""
        question = await self._answering.answered(place.team, place.channel, place.ts)
        if question is None or question.card_ts is None:
            return None
        answer = await client.chat_getPermalink(channel=place.channel, message_ts=question.card_ts)
        return str(answer["permalink"])


async def channel_refusal(channel: str, presser: SlackUser, client: AsyncWebClient) -> str | None:
    """Return the key of the text that says why the bot cannot answer in this channel; None if it can."""
    if channel.startswith("D"):
        # This call needs no further scope to tell our own direct message from one between two people.
        ours = (await client.conversations_open(users=presser.id))["channel"]["id"]
        return None if channel == ours else "ask.not_in_channel"
    try:
        info = (await client.conversations_info(channel=channel))["channel"]
    except SlackApiError as error:
        if error_name(error) in NO_ACCESS_ERRORS:
            return "ask.not_in_channel"
        raise
    if is_shared(info):
        return "ask.outsider"
    # Slack may leave `is_member` out. If the bot is no member after all, the post fails and the asker is told.
    return "ask.not_in_channel" if info.get("is_member") is False else None


async def _do_nothing() -> None:
    """Do nothing: the middleware has already done the work."""


def register(app: AsyncApp, context: Context) -> None:
    """Register the middleware and the message shortcut. Replies are heard in handlers/askers/follow_up.py, too."""
    app.use(QuestionMiddleware(context).store)
    app.event("app_mention")(_do_nothing)
    app.shortcut(ids.ASK)(AskShortcut(context).ask)
