"""The form of a correction, and the draft of a reason that comes into it while it is open."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.corrections.correcting import Correcting
from bot.corrections.drafting import Drafting, said_for
from bot.domain.card import Card
from handlers.slack.failures import error_name
from handlers.slack.guard import Guard
from handlers.slack.people import People
from handlers.slack.private import Spot
from handlers.texts.escape import shorten
from handlers.texts.words import Words
from handlers.views import ids
from handlers.views.card import REASON_LENGTH, modal
from handlers.views.ids import Form

log = logging.getLogger(__name__)

DRAFT_SECONDS = 2.5
"""Seconds that a draft may take; whoever corrects may save without it at any time."""
GONE = frozenset({"hash_conflict", "not_found"})


class CorrectionForms:
    """Opens the form and keeps its draft fitting to the category that is chosen in it."""

    def __init__(
        self, correcting: Correcting, drafting: Drafting, guard: Guard, people: People, client: AsyncWebClient
    ) -> None:
        self._correcting = correcting
        self._drafting = drafting
        self._guard = guard
        self._people = people
        self._client = client

    async def open(self, shown: Card, spot: Spot, words: Words, trigger: str) -> Callable[[], Awaitable[None]]:
        """Open it at once, with what was said for the card's category; awaiting the result drafts what was not."""
        category = shown.category.id if shown.category else None
        said = said_for(shown, category) if category else None
        form = Form(
            question=shown.question.id,
            seen=shown.seen,
            channel=spot.channel,
            thread=spot.thread,
            draft=said and shorten(said, REASON_LENGTH),
        )
        drafting = category is not None and said is None
        view = modal(shown, form, category, words, drafting=drafting)
        opened = await self._client.views_open(trigger_id=trigger, view=view)
        if category is None or not drafting:
            return _nothing
        return partial(self._draft, shown, form, category, words, opened["view"])

    async def choose(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Another category needs another reason, unless the person has written one."""
        await self._guard.staff_only(body["user"]["id"])
        await ack()
        view = body["view"]
        form, category = Form.unpacked(view["private_metadata"]), action["selected_option"]["value"]
        _, written = written_reason(view)
        if written and written != form.draft:
            return
        form = form.model_copy(update={"draft": None})
        shown, words = await self._correcting.card(form.question), await self._people.words(body["user"]["id"])
        waiting = await self._update(view["id"], None, modal(shown, form, category, words, drafting=True))
        if waiting:
            await self._draft(shown, form, category, words, waiting)

    async def _draft(self, shown: Card, form: Form, category: str, words: Words, view: dict[str, Any]) -> None:
        """Put a reason for this category into the form that waits for one; an empty place where none comes."""
        draft = None
        try:
            async with asyncio.timeout(DRAFT_SECONDS):
                draft = await self._drafting.reason(form.question, category)
        except TimeoutError:
            log.info("no reason was drafted in time")
        form = form.model_copy(update={"draft": draft and shorten(draft, REASON_LENGTH)})
        # By its hash: where another category was chosen meanwhile, this draft must not show.
        await self._update(view["id"], view["hash"], modal(shown, form, category, words))

    async def _update(self, view_id: str, seen: str | None, view: dict[str, Any]) -> dict[str, Any] | None:
        """The form as it is now; None where it was closed, or has changed since it was `seen`."""
        try:
            updated = await self._client.views_update(view_id=view_id, hash=seen, view=view)
        except SlackApiError as error:
            if error_name(error) not in GONE:
                raise
            return None
        changed: dict[str, Any] = updated["view"]
        return changed


async def _nothing() -> None:
    """There is nothing to draft."""


def written_reason(view: dict[str, Any]) -> tuple[str | None, str | None]:
    """The category that the form's place for a reason was made for, and what stands in it."""
    for block_id, inputs in view["state"]["values"].items():
        name, _, category = block_id.partition(".")
        if name == ids.REASON_INPUT:
            return category, (inputs[ids.REASON_INPUT].get("value") or "").strip() or None
    return None, None


def register(app: AsyncApp, forms: CorrectionForms) -> None:
    """Register the choice of a category in the form."""
    app.action({"block_id": ids.CATEGORY_INPUT, "action_id": ids.CATEGORY_INPUT})(forms.choose)
