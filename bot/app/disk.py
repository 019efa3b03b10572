"""The report of a full disk to the ops channel. It does not use the outbox, because the outbox needs the disk too."""

import logging
from datetime import datetime, timedelta

from bot.domain.errors import Undelivered
from bot.ports import Announcer, Clock

log = logging.getLogger(__name__)

REPORT_SECONDS = 2.0
"""Interval at which `DiskWatch.report` is called, in seconds."""
DISK_QUIET = timedelta(minutes=10)
"""Time without a failed write after which a full disk is news again."""


class DiskWatch:
    """A watch for a full disk of the database, which tells operators once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began: datetime | None = None
        self._seen: datetime | None = None
        self._told = False

    def saw_full(self) -> None:
        """Note that a transaction failed because the disk is full."""
        self._seen = self._clock.now()
        self._began = self._began or self._seen

    async def report(self, announcer: Announcer) -> None:
        """Tell the ops channel, if that was not done yet. It tries again while Slack does not answer."""
        if self._began is None or self._seen is None:
            return
        if self._clock.now() - self._seen > DISK_QUIET:
            self._began, self._told = None, False
        elif not self._told:
            # Every replica sees the full disk. `again` looks for another replica's copy, so one message per hour stays.
            message_id = f"disk:{self._began:%Y-%m-%dT%H}"
            try:
                await announcer.tell_operators("operators.disk_full", {}, message_id=message_id, again=True)
            except Undelivered as error:
                log.warning("the ops channel could not be told that the disk is full: %s", error)
                if not error.final:
                    return
            self._told = True
