"""The message shortcut *Why this answer?*, on a card or on the question itself."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.errors import Reason, Refused
from handlers.context import Context
from handlers.slack.people import is_by_app
from handlers.slack.private import spot_of
from handlers.texts.blocks import objects
from handlers.views import ids
from handlers.views.why import why as view


class WhyListener:
    """The listener for the shortcut. Any member may use it; outsiders may not."""

    def __init__(self, context: Context) -> None:
        self._explaining = context.acts.explaining
        self._guard = context.guard
        self._people = context.people
        self._private = context.private

    async def ask(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        spot = spot_of(body)
        presser = await self._people.get(spot.user)
        if presser.outsider:
            await self._private.tell(spot, presser.words("why.outsider"))
            return
        message, channel = body["message"], body["channel"]["id"]
        question = question_of(message)
        try:
            ts = message["ts"] if question or not is_by_app(message) else message.get("thread_ts", message["ts"])
            explanation = await self._explaining.answer(question, self._people.home.team, channel, ts)
        except Refused as refused:
            if refused.reason is not Reason.UNKNOWN_QUESTION:
                raise
            await self._private.tell(spot, presser.words("why.nothing"))
            return
        staff = await self._guard.is_staff(spot.user)
        await self._private.tell(spot, view(explanation, presser.words, staff=staff))
        if explanation.second:
            second = await self._explaining.answer(explanation.second, self._people.home.team, channel, ts)
            await self._private.tell(spot, view(second, presser.words, staff=staff))


def question_of(message: dict[str, Any]) -> str | None:
    """Return the id of the question that a card's controls carry, or None for any other message."""
    for block in objects(message.get("blocks")):
        for element in objects(block.get("elements")):
            if element.get("action_id") == ids.CORRECT_OPEN:
                try:
                    return ids.SeenPayload.unpacked(str(element.get("value"))).question
                except Refused:
                    return None
    return None


def register(app: AsyncApp, context: Context) -> None:
    """Register the listener for the shortcut."""
    app.shortcut(ids.WHY)(WhyListener(context).ask)
