"""Listeners for an author's answer: may the words that a colleague asked about be used?"""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from handlers.context import Context
from handlers.slack.private import spot_of
from handlers.views import consent as views
from handlers.views import ids
from handlers.views.ids import QuestionPayload, value_of


class ConsentListener:
    """The listener for both buttons. Only the author's own press counts; anybody else is refused in private."""

    def __init__(self, context: Context) -> None:
        self._consenting = context.acts.consenting
        self._people = context.people
        self._private = context.private
        self._wake = context.wake.deliverers

    async def answer(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        spot = spot_of(body)
        question = QuestionPayload.unpacked(value_of(action)).question
        agreed = action["action_id"] == ids.CONSENT_YES
        consent = await self._consenting.answer(question, spot.user, agreed=agreed)
        self._wake()
        await self._private.replace(spot, views.noted(consent, await self._people.words(spot.user)))
        await ack()


def register(app: AsyncApp, context: Context) -> None:
    """Register the listener for both buttons."""
    listener = ConsentListener(context)
    for action_id in (ids.CONSENT_YES, ids.CONSENT_NO):
        app.action(action_id)(listener.answer)
