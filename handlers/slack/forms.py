"""The correction form, and the suggested reason that appears beside its input."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.corrections.correcting import Correcting
from bot.corrections.drafting import Drafting
from bot.domain.card import Card
from bot.domain.reason import tells_why
from handlers.slack.failures import VIEW_CHANGED_ERRORS, error_name
from handlers.slack.guard import Guard
from handlers.slack.people import People
from handlers.slack.private import Spot
from handlers.slack.shapes import entries, modal_of
from handlers.texts.escape import shorten
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.card import REASON_LENGTH, modal
from handlers.views.ids import Form, value_of

log = logging.getLogger(__name__)

DRAFT_SECONDS = 2.5
"""Timeout for a draft, in seconds. A person may submit the form without waiting for it."""


class CorrectionForms:
    """The correction form, whose suggestion is updated whenever another category is chosen."""

    def __init__(
        self, correcting: Correcting, drafting: Drafting, guard: Guard, people: People, client: AsyncWebClient
    ) -> None:
        self._correcting = correcting
        self._drafting = drafting
        self._guard = guard
        self._people = people
        self._client = client

    async def open(self, shown: Card, spot: Spot, words: Words, trigger: str) -> Callable[[], Awaitable[None]]:
        """Open the form at once, with the card's category.

        Args:
            shown: The card.
            spot: The place for private answers.
            words: The person's language.
            trigger: Slack's trigger id, which is valid for three seconds.

        Returns:
            A function that drafts a reason and shows it beside the input.
        """
        category = shown.category.id if shown.category else None
        form = Form(question=shown.question.id, seen=shown.seen, channel=spot.channel, thread=spot.thread)
        view = modal(shown, form, category, words, drafting=category is not None)
        opened = await self._client.views_open(trigger_id=trigger, view=view)
        if category is None:
            return _no_draft
        return partial(self._show_draft, shown, form, category, words, opened["view"])

    async def choose(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Replace the suggestion after another category was chosen. A suggestion that was used goes with its category.

        Choosing settles nothing: only *Save* does.
        """
        await self._guard.staff_only(body["user"]["id"])
        await ack()
        view = modal_of(body)
        form, category = Form.unpacked(view["private_metadata"]), value_of(action)
        used = {} if entered_reason(view) != form.filled else {"filled": None, "filled_for": None}
        form = form.model_copy(update={"draft": None, **used})
        shown, words = await self._correcting.card(form.question), await self._people.words(body["user"]["id"])
        waiting = await self._update(view["id"], None, modal(shown, form, category, words, drafting=True))
        if waiting:
            await self._show_draft(shown, form, category, words, waiting)

    async def use(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Put the suggestion into the input of the reason."""
        await self._guard.staff_only(body["user"]["id"])
        await ack()
        view = modal_of(body)
        form, category = Form.unpacked(view["private_metadata"]), value_of(action)
        form = form.model_copy(update={"filled": form.draft, "filled_for": category})
        shown, words = await self._correcting.card(form.question), await self._people.words(body["user"]["id"])
        await self._update(view["id"], view["hash"], modal(shown, form, category, words))

    async def _show_draft(self, shown: Card, form: Form, category: str, words: Words, view: dict[str, Any]) -> None:
        """Show a reason for this category beside the input, if it says something."""
        draft = None
        try:
            async with asyncio.timeout(DRAFT_SECONDS):
                draft = await self._drafting.reason(form.question, category)
        except TimeoutError:
            log.info("no reason was drafted in time")
        chosen = shown.prompt.category(category)
        told = bool(draft) and tells_why(draft or "", chosen.name if chosen else "")
        form = form.model_copy(update={"draft": shorten(draft, REASON_LENGTH) if draft and told else None})
        # The hash keeps this draft out of a form in which another category was chosen meanwhile.
        await self._update(view["id"], view["hash"], modal(shown, form, category, words))

    async def _update(self, view_id: str, seen_hash: str | None, view: dict[str, Any]) -> dict[str, Any] | None:
        """Update the form and return it; None if it was closed, or has changed since `seen_hash`."""
        try:
            updated = await self._client.views_update(view_id=view_id, hash=seen_hash, view=view)
        except SlackApiError as error:
            if error_name(error) not in VIEW_CHANGED_ERRORS:
                raise
            return None
        new_view: dict[str, Any] = updated["view"]
        return new_view


async def _no_draft() -> None:
    """Do nothing: the form needs no draft."""


def entered_reason(view: dict[str, Any]) -> str | None:
    """Return the text in the form's reason input."""
    for block_id, inputs in entries(view).items():
        if block_id.partition(".")[0] == ids.REASON_INPUT:
            return (inputs.get(ids.REASON_INPUT, {}).get("value") or "").strip() or None
    return None


def register(app: AsyncApp, forms: CorrectionForms) -> None:
    """Register the listeners for the choice of a category, and for *Use it*."""
    app.action({"block_id": ids.CATEGORY_INPUT, "action_id": ids.CATEGORY_INPUT})(forms.choose)
    app.action(ids.USE_DRAFT)(forms.use)
