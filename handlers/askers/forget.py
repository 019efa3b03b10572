"""Forgetting: `/finetune forget` for admins, *Forget my questions* for everybody, and messages deleted in Slack."""

import logging
import re
from datetime import UTC, datetime
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.domain.errors import Reason, Refused
from bot.domain.forgetting import Scope
from bot.domain.question import Place
from handlers import home
from handlers.command import Call, Story
from handlers.context import Context
from handlers.slack.private import spot_of
from handlers.views import forget as views
from handlers.views import ids
from handlers.views.ids import ForgetPayload

log = logging.getLogger(__name__)

PERSON_TYPED = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>|@?([UW][A-Z0-9]{6,})")
"""Matches a mention as Slack writes it, or a bare user id."""
LINK_TYPED = re.compile(r"<?https?://[^\s<>|]+/archives/([CDG][A-Z0-9]+)/p(\d{10})(\d{6})[^\s<>]*>?")
"""Matches the link to a message."""
DATE_TYPED = re.compile(r"(?:before )?(\d{4})[-/.\u5e74](\d{1,2})[-/.\u6708](\d{1,2})\u65e5?", re.IGNORECASE)


async def forget(call: Call) -> None:
    """Show how much would be forgotten, and ask first."""
    scope = await read_scope(call)
    counts = await call.acts.forgetting.plan(scope)
    if not counts:
        await call.say(call.words("forget.nothing"))
        return
    await call.say(views.ask(scope, counts, call.words))


async def read_scope(call: Call) -> Scope:
    """Return what the words after the command mean.

    Raises:
        Refused: FORGET_WHAT, if they are neither a person, nor the link to a message, nor a date.
    """
    typed = call.argument.strip()
    if found := PERSON_TYPED.fullmatch(typed):
        return Scope.person(found[1] or found[2])
    if found := LINK_TYPED.fullmatch(typed):
        place = Place(team=call.context.people.home.team, channel=found[1], ts=f"{found[2]}.{found[3]}")
        return await call.acts.forgetting.scope_of(place)
    if found := DATE_TYPED.fullmatch(typed):
        offset = (await call.context.people.get(call.spot.user)).utc_offset
        try:
            year, month, day = map(int, found.groups())
            return Scope.before(datetime(year, month, day, tzinfo=UTC) - offset)
        except (ValueError, OverflowError):
            pass
    raise Refused(Reason.FORGET_WHAT)


async def confirm(call: Call) -> None:
    """Take the request. The report follows in a direct message."""
    pressed = ForgetPayload.unpacked(call.value)
    scope = Scope(kind=pressed.kind, target=pressed.id)
    await call.acts.forgetting.forget(scope, call.spot.user, call.words.language)
    call.context.wake.deliverers()
    await call.say(call.words("forget.taken"), replace=True)


async def dismiss(call: Call) -> None:
    await call.say(call.words("forget.dismissed"), replace=True)


FORGET_STORY = Story(
    verbs={"forget": forget},
    presses={ids.FORGET_CONFIRM: confirm, ids.FORGET_DISMISS: dismiss},
    free=frozenset({"forget"}),
)


class OwnListeners:
    """The form in which a person lets their own questions be forgotten. Guests have none, and may still use it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._forgetting = context.acts.forgetting
        self._people = context.people

    async def open(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open the form with the number of questions."""
        await ack()
        user = body["user"]["id"]
        counts, words = await self._forgetting.plan(Scope.own(user)), await self._people.words(user)
        await self._context.client.views_open(trigger_id=body["trigger_id"], view=views.own_form(counts, words))

    async def submit(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Take the request of the person who submits: nobody else is named anywhere."""
        spot = spot_of(body)
        words = await self._people.words(spot.user)
        await self._forgetting.forget(Scope.own(spot.user), spot.user, words.language)
        await ack()
        self._context.wake.deliverers()
        await self._context.private.tell(spot, words("forget.taken"))
        await home.publish_if_open(self._context, spot.user)


async def say_removed() -> None:
    """Tell the operator that the app is gone. Nothing is erased by itself: an app can be installed again."""
    log.warning("the app was removed from the workspace, or its tokens were revoked; docs/forgetting.md has what to do")


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners of the button, the shortcut, the form, and the end of the app."""
    listeners = OwnListeners(context)
    app.action(ids.FORGET_OWN)(listeners.open)
    app.shortcut(ids.FORGET_SHORTCUT)(listeners.open)
    app.view(ids.FORGET_FORM)(listeners.submit)
    for event in ("app_uninstalled", "tokens_revoked"):
        app.event(event)(say_removed)
