"""The story of a correction: agree, change, with a reason, undo. Each is authorised, written, and only then acked."""

from collections.abc import Awaitable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.errors import Reason, Refused
from handlers.context import Context
from handlers.slack import forms
from handlers.slack.errors import NotSaved
from handlers.slack.forms import CorrectionForms, written_reason
from handlers.slack.private import Spot, spot_of
from handlers.views import card as views
from handlers.views import ids
from handlers.views.ids import CategoryChoice, Form, SeenPayload


class CorrectionListeners:
    """The listeners. After each press the deliverers are woken, so that the card changes at once."""

    def __init__(self, context: Context, forms: CorrectionForms) -> None:
        self._correcting = context.acts.correcting
        self._forms = forms
        self._guard = context.guard
        self._people = context.people
        self._private = context.private
        self._wake = context.wake.deliverers

    async def press(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Agree, a category's button, the menu of categories, or "settle as … anyway"."""
        choice = CategoryChoice.unpacked(action["value"] if "value" in action else action["selected_option"]["value"])
        spot = spot_of(body)
        if await self._settle(choice, spot) and action["action_id"] == ids.ANYWAY:
            await self._private.dismiss(spot)
        await ack()

    async def undo(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        spot = spot_of(body)
        await self._guard.staff_only(spot.user)
        seen = SeenPayload.unpacked(action["value"])
        try:
            await _written(self._correcting.undo(seen.question, seen.seen, spot.user))
        except Refused as refused:
            if refused.reason is not Reason.SETTLED_MEANWHILE:
                raise
            words = await self._people.words(spot.user)
            again = words("correct.look_again")
            await self._private.tell(spot, f"{views.already(_card(refused), words)} {again}")
        self._wake()
        await ack()

    async def open(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """The form, for what holds now: opened at once, for its trigger lives three seconds."""
        spot = spot_of(body)
        await self._guard.staff_only(spot.user)
        shown = await self._correcting.card(SeenPayload.unpacked(action["value"]).question)
        words = await self._people.words(spot.user)
        drafted = await self._forms.open(shown, spot, words, body["trigger_id"])
        await ack()
        await drafted()

    async def submit(self, ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        form = Form.unpacked(view["private_metadata"])
        chosen = view["state"]["values"][ids.CATEGORY_INPUT][ids.CATEGORY_INPUT].get("selected_option")
        if not chosen:
            words = await self._people.words(body["user"]["id"])
            await ack(response_action="errors", errors={ids.CATEGORY_INPUT: words("correct.modal.required")})
            return
        category = chosen["value"]
        drafted_for, reason = written_reason(view)
        if reason == form.draft and drafted_for != category:
            reason = None  # submitted before the draft for this category came
        choice = CategoryChoice(question=form.question, seen=form.seen, category=category, reason=reason)
        await self._settle(choice, spot_of(body))
        await ack()

    async def _settle(self, choice: CategoryChoice, spot: Spot) -> bool:
        """Whether the wish holds now; where somebody was first, this person is told what they said instead."""
        await self._guard.staff_only(spot.user)
        press = Press(
            question_id=choice.question,
            category=choice.category,
            reason=choice.reason,
            seen=choice.seen,
            by=spot.user,
        )
        try:
            await _written(self._correcting.settle(press))
        except Refused as refused:
            if refused.reason is not Reason.SETTLED_MEANWHILE:
                raise
            await self._first_said(_card(refused), choice, spot)
            return False
        self._wake()
        return True

    async def _first_said(self, shown: Card, choice: CategoryChoice, spot: Spot) -> None:
        words = await self._people.words(spot.user)
        if shown.settled and shown.settled.category == choice.category and not choice.reason:
            await self._private.tell(spot, views.same(shown, words))
        else:
            await self._private.tell(spot, views.anyway(shown, choice, words))


async def _written(act: Awaitable[Card]) -> None:
    """Raises Refused as it is, and NotSaved for anything else."""
    try:
        await act
    except Refused:
        raise
    except Exception as error:
        raise NotSaved from error


def _card(refused: Refused) -> Card:
    card = refused.facts["card"]
    if not isinstance(card, Card):
        raise TypeError("SETTLED_MEANWHILE comes with a card")
    return card


def register(app: AsyncApp, context: Context) -> None:
    """Register the card's controls, the form and its submit."""
    acts = context.acts
    form = CorrectionForms(acts.correcting, acts.drafting, context.guard, context.people, context.client)
    forms.register(app, form)
    corrections = CorrectionListeners(context, form)
    for action_id in (ids.AGREE, ids.CHANGES, ids.ANYWAY):
        app.action(action_id)(corrections.press)
    app.action(ids.UNDO)(corrections.undo)
    app.action(ids.CORRECT_OPEN)(corrections.open)
    app.view(ids.MODAL)(corrections.submit)
