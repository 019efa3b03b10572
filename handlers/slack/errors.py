"""The error handler, which tells people what was refused or went wrong."""

import logging
import uuid
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.domain.disk import is_disk_full, log_failure
from bot.domain.errors import Refused
from bot.domain.faults import Unable
from handlers.slack.failures import error_name, lacking_scope
from handlers.slack.people import People
from handlers.slack.private import Private, Spot, spot_of
from handlers.texts.words import Words

log = logging.getLogger(__name__)

ASKING_EVENTS = frozenset({"message", "app_mention"})
"""Events in which somebody may have asked something."""


LATE_ERRORS = frozenset(
    {"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "trigger_expired", "trigger_exchanged"}
)
"""Slack's errors for a window that is opened more than three seconds after a press, or a second time."""


class NotSaved(Exception):  # noqa: N818 - reads as what happened
    """A correction that could not be stored, so that nothing was changed."""


class ErrorHandler:
    """A handler that tells people what was refused or went wrong, and logs it."""

    def __init__(self, people: People, private: Private) -> None:
        self._people = people
        self._private = private

    async def of_event(self, error: Exception, event: dict[str, Any]) -> BoltResponse | None:
        """Log why an event failed. It gets no ack, so that Slack delivers it again, unless that cannot help."""
        kind, scope = event.get("type"), lacking_scope(error)
        if scope:
            log.warning("event %s is dropped: the Slack app lacks the scope %s", kind, scope)
            if kind in ASKING_EVENTS and event.get("user"):
                spot = Spot(event["user"], event.get("channel"), event.get("thread_ts"), None)
                await self._private.tell(spot, self._people.default_words("error.missing_scope", scope=scope))
            return BoltResponse(status=200)
        refused = error_name(error)
        if refused:
            log.warning("event %s failed: Slack answers %s", kind, refused)
        elif isinstance(error, Unable) and not is_disk_full(error):
            # The database is away. The traceback is logged once, elsewhere.
            log.error("event %s failed: %s", kind, error)
        else:
            log_failure(log, f"event {kind} failed: {type(error).__name__}", error)
        return None

    async def of_interaction(self, error: Exception, body: dict[str, Any]) -> None:
        """Tell the person who pressed, typed or submitted something."""
        spot = spot_of(body)
        words = await self._people.words(spot.user)
        await self._private.tell(spot, self._text(error, str(body.get("type") or body.get("command")), words))

    def _text(self, error: Exception, what: str, words: Words) -> str:
        scope = lacking_scope(error)
        if isinstance(error, Refused):
            log.info("refused: %s", error.reason.value)
            return words.refusal(error)
        if scope:
            log.warning("%s is refused: the Slack app lacks the scope %s", what, scope)
            return words("error.missing_scope", scope=scope)
        refused, number = error_name(error), uuid.uuid4().hex[:8]
        if refused in LATE_ERRORS:
            log.warning("%s came too late to open a window: Slack answers %s", what, refused)
            return words("error.too_late")
        if refused:
            log.warning("%s: %s failed: Slack answers %s", number, what, refused)
        elif is_disk_full(error):  # a line of its own, because the person is told this number
            log.error("%s: %s failed: the disk is full", number, what)
        else:
            log.error("%s: %s failed", number, what, exc_info=error)
        return words("error.not_saved" if isinstance(error, NotSaved) else "error.unexpected", id=number)


def register(app: AsyncApp, people: People, private: Private) -> None:
    """Register the only error handler.

    When a listener for a press, command, shortcut or modal raises, the handler tells the person and acks.
    """
    handler = ErrorHandler(people, private)

    @app.error
    async def handle_error(
        error: Exception, body: dict[str, Any], response: BoltResponse | None
    ) -> BoltResponse | None:
        if "event" in body:
            return await handler.of_event(error, body["event"])
        await handler.of_interaction(error, body)
        return BoltResponse(status=200) if response else None
