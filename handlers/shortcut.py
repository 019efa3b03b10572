"""The story of "Ask Madoguchi": anybody hands a message over that somebody wrote, and its author gets the answer."""

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.answering import Answering
from bot.domain.question import Arrival, Place, Via
from handlers.escape import plain_text
from handlers.people import Home, People, Person
from handlers.private import Private, spot_of
from handlers.questions import has_files, place_of
from handlers.views import ids

UNSEEN = frozenset({"channel_not_found", "not_in_channel", "missing_scope", "no_permission"})


class Shortcut:
    """The message shortcut. Every press gets a private answer."""

    def __init__(
        self,
        answering: Answering,
        people: People,
        private: Private,
        client: AsyncWebClient,
        home: Home,
        wake: Callable[[], None],
    ) -> None:
        self._answering = answering
        self._people = people
        self._private = private
        self._client = client
        self._home = home
        self._wake = wake

    async def ask(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        spot = spot_of(body)
        presser = await self._people.get(spot.user)
        key, facts = await self._asked(body, presser)
        await self._private.tell(spot, presser.words(key, **facts))
        await ack()

    async def _asked(self, body: dict[str, Any], presser: Person) -> tuple[str, dict[str, str]]:
        """Hand the message over if it may be; the text that tells the presser, and its facts."""
        message, channel = body["message"], body["channel"]["id"]
        if presser.outsider:
            return "ask.outsider", {}
        if message.get("bot_id") or not message.get("user"):
            return "ask.bot", {}
        author = await self._people.get(message["user"])
        if author.is_bot:
            return "ask.bot", {}
        refusal = "ask.outsider" if author.outsider else await self._refused_here(channel)
        if refusal:
            return refusal, {}
        place = place_of(self._home, channel, message)
        link = await self._answer_link(place)
        if link:
            return "ask.already", {"link": link}
        arrival = Arrival(
            event_id=f"shortcut:{channel}:{place.ts}:{body['trigger_id']}",
            via=Via.SHORTCUT,
            place=place,
            asker=author.id,
            text=plain_text(message.get("text") or "", self._home.bot_user_id),
            language=author.language,
            has_files=has_files(message),
        )
        if await self._answering.receive(arrival):
            self._wake()
        return "ask.taken", {}

    async def _refused_here(self, channel: str) -> str | None:
        """Why nothing can be answered in this conversation."""
        try:
            info = (await self._client.conversations_info(channel=channel))["channel"]
        except SlackApiError as error:
            if error.response.get("error") in UNSEEN:
                return "ask.not_in_channel"
            raise
        if info.get("is_ext_shared") or info.get("is_pending_ext_shared"):
            return "ask.outsider"
        return None if info.get("is_member") or info.get("is_im") else "ask.not_in_channel"

    async def _answer_link(self, place: Place) -> str | None:
        """The address of the answer that this message already has."""
        question = await self._answering.answered(place.team, place.channel, place.ts)
        if question is None or question.card_ts is None:
            return None
        answer = await self._client.chat_getPermalink(channel=place.channel, message_ts=question.card_ts)
        return str(answer["permalink"])


def register(app: AsyncApp, shortcut: Shortcut) -> None:
    """Register the message shortcut."""
    app.shortcut(ids.ASK)(shortcut.ask)
