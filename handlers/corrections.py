"""Listeners for corrections: agree, change, give a reason, undo. A press is acked only after it is stored."""

from collections.abc import Awaitable
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.card import Card
from bot.domain.correction import Press
from bot.domain.errors import Reason, Refused
from handlers.context import Context
from handlers.slack import forms
from handlers.slack.errors import NotSaved
from handlers.slack.forms import CorrectionForms, entered_reason
from handlers.slack.private import Spot, spot_of
from handlers.slack.shapes import entered
from handlers.views import card as views
from handlers.views import ids
from handlers.views.ids import CategoryChoice, Form, SeenPayload, value_of


class CorrectionListeners:
    """Listeners for the card's controls and the correction form. Each checks that the person is staff.

    After each press they wake the deliverers, so that the card changes at once.
    """

    def __init__(self, context: Context, forms: CorrectionForms) -> None:
        self._correcting = context.acts.correcting
        self._forms = forms
        self._guard = context.guard
        self._people = context.people
        self._private = context.private
        self._wake = context.wake.updaters

    async def press(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Settle a question as a category: by *agree*, a category's button, the menu, or *settle as … anyway*."""
        choice = CategoryChoice.unpacked(value_of(action))
        spot = spot_of(body)
        if await self._settle(choice, spot) and action["action_id"] == ids.ANYWAY:
            await self._private.dismiss(spot)
        await ack()

    async def undo(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        spot = spot_of(body)
        await self._guard.staff_only(spot.user)
        seen = SeenPayload.unpacked(value_of(action))
        try:
            await _save(self._correcting.undo(seen.question, seen.seen, spot.user))
        except Refused as refused:
            if refused.reason is not Reason.SETTLED_MEANWHILE:
                raise
            words = await self._people.words(spot.user)
            look_again = words("correct.look_again")
            await self._private.tell(spot, f"{views.settled_first(_card_of(refused), words)} {look_again}")
        self._wake()
        await ack()

    async def open(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Open the form, with the current settlement, before the draft is ready: the trigger expires after 3 s."""
        spot = spot_of(body)
        await self._guard.staff_only(spot.user)
        shown = await self._correcting.card(SeenPayload.unpacked(value_of(action)).question)
        words = await self._people.words(spot.user)
        draft = await self._forms.open(shown, spot, words, body["trigger_id"])
        await ack()
        await draft()

    async def submit(self, ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        form = Form.unpacked(view["private_metadata"])
        chosen = entered(view, ids.CATEGORY_INPUT).get("selected_option")
        if not chosen:
            words = await self._people.words(body["user"]["id"])
            await ack(response_action="errors", errors={ids.CATEGORY_INPUT: words("correct.modal.required")})
            return
        category = chosen["value"]
        reason = entered_reason(view)
        if reason == form.filled and form.filled_for != category:
            reason = None  # it argues for another category, which was chosen before
        choice = CategoryChoice(question=form.question, seen=form.seen, category=category, reason=reason)
        await self._settle(choice, spot_of(body))
        await ack()

    async def _settle(self, choice: CategoryChoice, spot: Spot) -> bool:
        """Store the choice and return True; if somebody else was first, tell this person and return False."""
        await self._guard.staff_only(spot.user)
        press = Press(
            question_id=choice.question,
            category=choice.category,
            reason=choice.reason,
            seen=choice.seen,
            by=spot.user,
        )
        try:
            await _save(self._correcting.settle(press))
        except Refused as refused:
            if refused.reason is not Reason.SETTLED_MEANWHILE:
                raise
            await self._tell_who_was_first(_card_of(refused), choice, spot)
            return False
        self._wake()
        return True

    async def _tell_who_was_first(self, shown: Card, choice: CategoryChoice, spot: Spot) -> None:
        words = await self._people.words(spot.user)
        if shown.settled and shown.settled.category == choice.category and not choice.reason:
            await self._private.tell(spot, views.settled_the_same(shown, words))
        else:
            await self._private.tell(spot, views.settle_anyway(shown, choice, words))


async def _save(act: Awaitable[Card]) -> None:
    """Await an act that stores a correction.

    Raises:
        Refused: The act refused.
        NotSaved: The act failed in any other way.
    """
    try:
        await act
    except Refused:
        raise
    except Exception as error:
        raise NotSaved from error


def _card_of(refused: Refused) -> Card:
    card = refused.facts["card"]
    if not isinstance(card, Card):
        raise TypeError("SETTLED_MEANWHILE must carry a card")
    return card


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners for the card's controls and for the correction form."""
    acts = context.acts
    form = CorrectionForms(acts.correcting, acts.drafting, context.guard, context.people, context.client)
    forms.register(app, form)
    corrections = CorrectionListeners(context, form)
    for action_id in (ids.AGREE, ids.CHANGES, ids.ANYWAY):
        app.action(action_id)(corrections.press)
    app.action(ids.UNDO)(corrections.undo)
    app.action(ids.CORRECT_OPEN)(corrections.open)
    app.view(ids.MODAL)(corrections.submit)
