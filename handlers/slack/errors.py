"""What people hear when something cannot be done, or went wrong."""

import logging
import uuid
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse

from bot.domain.errors import Refused
from bot.domain.faults import Unable
from handlers.slack.people import People
from handlers.slack.private import Private, spot_of

log = logging.getLogger(__name__)


class NotSaved(Exception):  # noqa: N818 - reads as what happened
    """A correction could not be written; nothing of it holds."""


def register(app: AsyncApp, people: People, private: Private) -> None:
    """Register the one error handler: whatever a listener raises, the person is told, and Slack gets its ack."""

    @app.error
    async def failed(error: Exception, body: dict[str, Any], response: BoltResponse | None) -> BoltResponse | None:
        if "event" in body:
            # Not acked, where it was raised before the ack: the event comes again.
            away = isinstance(error, Unable)  # the database: what of it is said elsewhere, once
            told = error if away else type(error).__name__
            log.error("event %s failed: %s", body["event"].get("type"), told, exc_info=None if away else error)
            return None
        spot = spot_of(body)
        words = await people.words(spot.user)
        if isinstance(error, Refused):
            log.info("refused: %s", error.reason.value)
            text = words.refusal(error)
        else:
            number = uuid.uuid4().hex[:8]
            log.error("%s: %s failed", number, body.get("type") or body.get("command"), exc_info=error)
            text = words("error.not_saved" if isinstance(error, NotSaved) else "error.unexpected", id=number)
        await private.tell(spot, text)
        return BoltResponse(status=200) if response else None
