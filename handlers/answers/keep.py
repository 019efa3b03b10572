"""The message shortcut *Keep this answer*, on an owner's reply in a question's thread: for staff, in private."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.card import Card
from bot.domain.errors import Reason, Refused
from handlers.context import Context
from handlers.slack.private import spot_of
from handlers.slack.shapes import entered
from handlers.texts.escape import message_text, plain_text
from handlers.views import ids
from handlers.views.ids import FeedbackForm
from handlers.views.keep import form


class KeepListeners:
    """The listeners for the shortcut and its form."""

    def __init__(self, context: Context) -> None:
        self._keeping = context.acts.keeping
        self._guard = context.guard
        self._people = context.people
        self._private = context.private

    async def open(self, ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        """Open the form, filled with the answer."""
        spot, message = spot_of(body), body["message"]
        await self._guard.staff_only(spot.user)
        channel, thread = body["channel"]["id"], message.get("thread_ts") or message["ts"]
        shown = await self._keeping.card(self._people.home.team, channel, thread)
        card = await self._answered(message.get("user") or "", shown)
        category = card.category if card else None
        if card is None or category is None:
            raise Refused(Reason.NOT_AN_OWNER)
        words = await self._people.words(spot.user)
        answer = plain_text(message_text(message), self._people.home.bot_user_id)
        private = FeedbackForm(question=card.question.id, channel=channel, thread=thread)
        await client.views_open(trigger_id=body["trigger_id"], view=form(card, category, answer, private, words))
        await ack()

    async def _answered(self, author: str, shown: Card) -> Card | None:
        """Return the card of the question that this author answers; None if the author is neither its owner nor staff.

        If the message shows two questions, the author's own one counts, else the first.
        """
        owners = [part for part in shown.parts if part.owner and await self._guard.is_among(author, (part.owner,))]
        part = next(iter(owners), shown)
        return part if await self._is_owner(author, part.owner) else None

    async def _is_owner(self, author: str, owner: str | None) -> bool:
        """Return whether the author is the owner or staff. A guest is neither, whatever the settings name."""
        named = await self._guard.is_among(author, (owner,)) if owner else False
        return (named or await self._guard.is_staff(author)) and not (await self._people.get(author)).outsider

    async def submit(self, ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Keep the answer as it stands in the form, and say in private what changed."""
        spot, private = spot_of(body), FeedbackForm.unpacked(view["private_metadata"])
        await self._guard.staff_only(spot.user)
        words = await self._people.words(spot.user)
        text = (entered(view, ids.GUIDE).get("value") or "").strip()
        kept_as = entered(view, ids.KEEP_AS).get("selected_option") or {}
        if kept_as.get("value") == ids.KEEP_AS_EXAMPLE:
            change = await self._keeping.as_example(private.question, spot.user)
            told = words("keep.example_kept" if change.candidate else "keep.example_known")
        elif text:
            await self._keeping.as_guide(private.question, text, spot.user)
            told = words("keep.guide_kept")
        else:
            await ack(response_action="errors", errors={ids.GUIDE: words("keep.required")})
            return
        await ack()
        await self._private.tell(spot, told)


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners for the shortcut and its form."""
    listeners = KeepListeners(context)
    app.shortcut(ids.KEEP)(listeners.open)
    app.view(ids.KEEP_FORM)(listeners.submit)
