"""Listeners for what askers say about their answers. Only the asker is heard; a press is acked once it is stored."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.card import Card
from bot.domain.feedback import FeedbackKind
from handlers.context import Context
from handlers.slack.private import spot_of
from handlers.slack.shapes import entered
from handlers.views import feedback as views
from handlers.views import ids
from handlers.views.direct import step
from handlers.views.ids import FeedbackForm, QuestionPayload, Said, value_of


class FeedbackListeners:
    """The listeners for *Solved* and *Not helpful*, for the reasons, and for a sentence of the asker's own."""

    def __init__(self, context: Context) -> None:
        self._hearing = context.acts.hearing
        self._people = context.people
        self._private = context.private
        self._wake = context.wake.deliverers

    async def rate(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Store the press, and ask in private what is missing."""
        spot, said = spot_of(body), Said.unpacked(value_of(action))
        card = await self._hear(said.question, spot.user, said.kind)
        await ack()
        words = await self._people.words(spot.user)
        if said.kind is FeedbackKind.SOLVED:
            answer = views.thanks(words)
        elif card.question.unsent and card.category:
            answer = step(card, card.category, words)
        elif card.question.direct:
            answer = views.alone(words)
        else:
            answer = views.ask_why(said.question, words)
        await self._private.tell(spot, answer)

    async def why(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Store the reason, and say who will hear of it."""
        spot, said = spot_of(body), Said.unpacked(value_of(action))
        card = await self._hear(said.question, spot.user, said.kind)
        await ack()
        await self._private.replace(spot, views.noted(card, await self._people.words(spot.user)))

    async def open(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], client: AsyncWebClient) -> None:
        """Open the form for a sentence."""
        spot = spot_of(body)
        question = QuestionPayload.unpacked(value_of(action)).question
        words = await self._people.words(spot.user)
        form = FeedbackForm(question=question, channel=spot.channel, thread=spot.thread)
        await client.views_open(trigger_id=body["trigger_id"], view=views.form(form, words))
        await ack()
        await self._private.dismiss(spot)

    async def submit(self, ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Store the sentence."""
        spot, form = spot_of(body), FeedbackForm.unpacked(view["private_metadata"])
        sentence = entered(view, ids.SENTENCE_INPUT).get("value")
        card = await self._hear(form.question, spot.user, FeedbackKind.OTHER, sentence)
        await ack()
        await self._private.tell(spot, views.noted(card, await self._people.words(spot.user)))

    async def _hear(self, question: str, by: str, kind: FeedbackKind, sentence: str | None = None) -> Card:
        card = await self._hearing.hear(question, by, kind, sentence)
        self._wake()
        return card


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners for the asker's controls."""
    listeners = FeedbackListeners(context)
    app.action(ids.FEEDBACK)(listeners.rate)
    app.action(ids.FEEDBACK_WHYS)(listeners.why)
    app.action(ids.FEEDBACK_OPEN)(listeners.open)
    app.view(ids.FEEDBACK_FORM)(listeners.submit)
