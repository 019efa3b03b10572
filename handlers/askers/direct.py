"""Listeners for the card of a direct message: *Send to …* with its private step, and *Keep private*."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.errors import Reason, Refused
from handlers.context import Context
from handlers.slack.private import spot_of
from handlers.views import direct as views
from handlers.views import ids
from handlers.views.ids import DirectChoice, value_of


class DirectListeners:
    """The listeners. Only the asker's own press counts; a press on a message that was sent already says so."""

    def __init__(self, context: Context) -> None:
        self._sending = context.acts.sending
        self._people = context.people
        self._private = context.private
        self._wake = context.wake.deliverers

    async def ask(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Show the private step. Nothing is sent yet."""
        spot, choice = spot_of(body), DirectChoice.unpacked(value_of(action))
        shown = await self._sending.card(choice.question, spot.user)
        category = shown.prompt.category(choice.category)
        if category is None:
            raise Refused(Reason.UNKNOWN_CATEGORY, category=choice.category)
        await self._private.tell(spot, views.step(shown, category, await self._people.words(spot.user)))
        await ack()

    async def send(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        spot, choice = spot_of(body), DirectChoice.unpacked(value_of(action))
        named = action["action_id"] == ids.DIRECT_NAMED
        await self._sending.send(choice.question, spot.user, choice.category, named=named)
        self._wake()
        await self._private.replace(spot, views.is_sent(await self._people.words(spot.user)))
        await ack()

    async def keep(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        spot, choice = spot_of(body), DirectChoice.unpacked(value_of(action))
        await self._sending.keep(choice.question, spot.user)
        self._wake()
        await ack()

    async def not_now(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await self._private.dismiss(spot_of(body))
        await ack()


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners."""
    listeners = DirectListeners(context)
    app.action(ids.DIRECT_SEND)(listeners.ask)
    app.action(ids.DIRECT_KEEP)(listeners.keep)
    app.action(ids.DIRECT_NOT_NOW)(listeners.not_now)
    for action_id in (ids.DIRECT_NAMED, ids.DIRECT_UNNAMED):
        app.action(action_id)(listeners.send)
