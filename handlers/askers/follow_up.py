"""An asker's reply in the thread of an answer that asks something new: it is offered to be taken as a question."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.asking import asks
from bot.domain.question import Arrival, Via
from handlers.context import Context
from handlers.questions import is_reply
from handlers.slack.policy import has_files, place_of
from handlers.slack.private import Spot, spot_of
from handlers.texts.escape import message_text, plain_text
from handlers.views import follow_up as views
from handlers.views import ids
from handlers.views.ids import ReplyPayload, value_of


class FollowUps:
    """The offer, and the press that accepts it. A reply that is a cry for help is taken up without a press."""

    def __init__(self, context: Context) -> None:
        self._caring = context.acts.caring
        self._answering = context.slack.answering
        self._policy = context.policy
        self._people = context.people
        self._reader = context.reader
        self._audiences = context.audiences
        self._private = context.private
        self._client = context.client
        self._wake = context.wake.answerers

    async def offer(self, event: dict[str, Any]) -> None:
        """Offer to take up a reply that asks something. Only the asker of the thread's question is offered it."""
        if not is_reply(event) or self._policy.from_event(event) or not await self._is_by_asker(event):
            return
        text = plain_text(message_text(event), self._people.home.bot_user_id)
        if await self._caring.needs_help(text):
            await self._take(event, event["channel"])
        elif asks(text):
            await self._show_offer(event)

    async def _is_by_asker(self, event: Mapping[str, Any]) -> bool:
        question = await self._answering.answered(self._people.home.team, event["channel"], event["thread_ts"])
        return question is not None and question.asker == event["user"]

    async def _show_offer(self, event: Mapping[str, Any]) -> None:
        channel, user = event["channel"], event["user"]
        message = views.offer(event["ts"], await self._people.words(user))
        if channel.startswith("D"):
            await self._client.chat_postMessage(
                channel=channel, thread_ts=event["thread_ts"], text=message.text, blocks=message.blocks
            )
        else:
            await self._private.tell(Spot(user, channel, event["thread_ts"], None), message)

    async def accept(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], client: AsyncWebClient) -> None:
        """Take up the reply, if it still stands and the presser wrote it."""
        spot, ts = spot_of(body), ReplyPayload.unpacked(value_of(action)).ts
        words = await self._people.words(spot.user)
        found = await client.conversations_replies(
            channel=spot.channel or "", ts=ts, oldest=ts, latest=ts, inclusive=True, limit=2
        )
        reply = next((one for one in found["messages"] if one["ts"] == ts and one.get("user") == spot.user), None)
        limit = await self._answering.limit_of(spot.user) if reply else None
        if limit:
            await self._private.replace(spot, views.limited(limit, words))
            await ack()
            return
        if reply and spot.channel:
            await self._take(reply, spot.channel)
        await self._private.replace(spot, views.noted(words, taken=reply is not None))
        await ack()

    async def decline(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await self._private.dismiss(spot_of(body))
        await ack()

    async def _take(self, reply: Mapping[str, Any], channel: str) -> None:
        """Store the reply as a question of its author. A second time changes nothing."""
        author = await self._people.get(reply["user"])
        reading = await self._reader.read_message(reply, channel)
        arrival = Arrival(
            event_id=f"reply:{channel}:{reply['ts']}",
            via=Via.MENTION,
            place=place_of(self._people.home.team, channel, dict(reply)),
            asker=author.id,
            language=author.language,
            has_files=has_files(dict(reply)),
            outsider=author.outsider,
            audience=await self._audiences.of_now(channel),
            **reading.fields(),
        )
        if await self._answering.receive(arrival):
            self._wake()


def register(app: AsyncApp, context: Context) -> None:
    """Register the offer and its two buttons."""
    follow_ups = FollowUps(context)
    app.event("message")(follow_ups.offer)
    app.action(ids.FOLLOW_UP_YES)(follow_ups.accept)
    app.action(ids.FOLLOW_UP_NO)(follow_ups.decline)
