"""Reactions with an emoji: an owner's 👀 or ✅ on a question or its card is shown on the card.

As with questions, a middleware stores the event before Slack gets its ack, so that none is lost.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.domain.signal import SignalKind
from handlers.context import Context
from handlers.questions import AskShortcut
from handlers.slack.failures import error_name
from handlers.slack.private import Spot

REACTION_EVENTS = ("reaction_added", "reaction_removed")
SIGNALS = {
    "eyes": SignalKind.TAKEN,
    "white_check_mark": SignalKind.DONE,
    "heavy_check_mark": SignalKind.DONE,
    "ballot_box_with_check": SignalKind.DONE,
}
"""Slack's names of the emoji that say something."""


GONE_ERRORS = frozenset({"thread_not_found", "message_not_found", "channel_not_found", "not_in_channel"})
"""Slack's errors for a message that was deleted meanwhile, or that is in a channel that the bot is not in."""
SILENT = frozenset({"ask.taken", "ask.already", "ask.bot"})
"""Keys of answers that a person who only reacted with an emoji is not sent: the card says it, or there is none."""


class AskingEmoji:
    """The emoji of BOT_EMOJI, which makes any message in a channel a question, as the message shortcut does."""

    def __init__(self, context: Context) -> None:
        self.name = context.emoji
        self._client = context.client
        self._people = context.people
        self._private = context.private
        self._shortcut = AskShortcut(context)

    async def ask(self, event: dict[str, Any], item: dict[str, Any]) -> None:
        """Take up the message. The person who reacted hears only of a refusal; a second reaction changes nothing.

        Raises:
            SlackApiError, aiohttp.ClientError, TimeoutError: Slack gave no answer. It delivers the event again.
        """
        channel, ts = str(item["channel"]), str(item["ts"])
        presser = await self._people.get(event["user"])
        if channel.startswith("D") or presser.is_bot:
            return
        message = await self._message(channel, ts)
        if message is None:
            return
        key, facts = await self._shortcut.submit(message, channel, presser, f"emoji:{channel}:{ts}", self._client)
        if key not in SILENT:
            spot = Spot(presser.id, channel, message.get("thread_ts"), None)
            await self._private.tell(spot, presser.words(key, **facts))

    async def _message(self, channel: str, ts: str) -> dict[str, Any] | None:
        """Return the message, or None if it is gone or not for the bot.

        Raises:
            SlackApiError, aiohttp.ClientError, TimeoutError: Slack gave no answer.
        """
        try:
            found = await self._client.conversations_replies(
                channel=channel, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=2
            )
        except SlackApiError as error:
            if error_name(error) in GONE_ERRORS:
                return None
            raise
        return next((one for one in found["messages"] if one["ts"] == ts), None)


class ReactionMiddleware:
    """A middleware that stores owners' reactions. If a question has no owner, staff count as one."""

    def __init__(self, context: Context) -> None:
        self._signalling = context.acts.signalling
        self._guard = context.guard
        self._people = context.people
        self._wake = context.wake.deliverers
        self._emoji = AskingEmoji(context)

    async def store(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's name
        """Store the event if it is an owner's reaction to a question, then let Bolt go on.

        Raises:
            Exception: Whatever Slack or the database raises. Slack then gets no ack and delivers again.
        """
        event = body.get("event") or {}
        item = event.get("item") or {}
        kind = SIGNALS.get(str(event.get("reaction"))) if event.get("type") in REACTION_EVENTS else None
        if kind and item.get("type") == "message":
            await self._note(event, item, kind)
        if event.get("type") == "reaction_added" and event["reaction"] == self._emoji.name and item.get("ts"):
            await self._emoji.ask(event, item)
        await next()

    async def _note(self, event: dict[str, Any], item: dict[str, Any], kind: SignalKind) -> None:
        card = await self._signalling.card(self._people.home.team, item["channel"], item["ts"])
        at = datetime.fromtimestamp(float(event["event_ts"]), UTC)
        removed = event["type"] == "reaction_removed"
        for part in card.parts if card else ():
            if not await self._is_owner(event["user"], part.owner):
                continue
            if await self._signalling.note(part.question.id, item["ts"], kind, event["user"], at, withdrawn=removed):
                self._wake()

    async def _is_owner(self, user: str, owner: str | None) -> bool:
        return await self._guard.is_among(user, (owner,)) if owner else await self._guard.is_staff(user)


async def _do_nothing() -> None:
    """Do nothing: the middleware has already done the work."""


def register(app: AsyncApp, context: Context) -> None:
    """Register the middleware and its two events."""
    app.use(ReactionMiddleware(context).store)
    for event in REACTION_EVENTS:
        app.event(event)(_do_nothing)
