"""The error handler, which tells people what was refused or went wrong."""

import logging
import uuid
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.domain.disk import is_disk_full, log_failure
from bot.domain.errors import Refused
from bot.domain.faults import Unable
from handlers.slack.people import People
from handlers.slack.private import Private, spot_of

log = logging.getLogger(__name__)


class NotSaved(Exception):  # noqa: N818 - reads as what happened
    """A correction could not be stored, and nothing was changed."""


def register(app: AsyncApp, people: People, private: Private) -> None:
    """Register the only error handler.

    When a listener for a press, command, shortcut or modal raises, the handler tells the person and acks. An event that
    fails before its ack gets none, so that Slack delivers it again.
    """

    @app.error
    async def handle_error(
        error: Exception, body: dict[str, Any], response: BoltResponse | None
    ) -> BoltResponse | None:
        if "event" in body:
            # `Unable` means that the database is away. Its traceback is logged once, elsewhere.
            kind = body["event"].get("type")
            if isinstance(error, Unable) and not is_disk_full(error):
                log.error("event %s failed: %s", kind, error)
            else:
                log_failure(log, f"event {kind} failed: {type(error).__name__}", error)
            return None
        spot = spot_of(body)
        words = await people.words(spot.user)
        if isinstance(error, Refused):
            log.info("refused: %s", error.reason.value)
            text = words.refusal(error)
        else:
            number = uuid.uuid4().hex[:8]
            what = body.get("type") or body.get("command")
            if is_disk_full(error):  # a line of its own, because the person is told this number
                log.error("%s: %s failed: the disk is full", number, what)
            else:
                log.error("%s: %s failed", number, what, exc_info=error)
            text = words("error.not_saved" if isinstance(error, NotSaved) else "error.unexpected", id=number)
        await private.tell(spot, text)
        return BoltResponse(status=200) if response else None
