"""The audience of questions and rows that were stored without one."""

import logging

from bot.domain.audience import Audience
from bot.domain.errors import Undelivered
from bot.ports import Audiences, Clock, Store

log = logging.getLogger(__name__)

SURVEYED_CHANNELS = 40
"""Channels of which one run asks Slack: `conversations.info` allows some fifty calls a minute."""
LEARNED_PER_TRANSACTION = 1000
"""Upper bound per transaction, because other writers wait for it."""
SURVEY = "audiences"
"""Cursor: the last channel that was asked about; empty before a new round."""


class Surveying:
    """A survey at Slack of who can read the channels of questions and rows whose audience is unknown.

    Programs before migration 0004 stored no audience, and Slack may not tell it when a question arrives. What stays
    unknown counts as private, and the next round asks again.
    """

    def __init__(self, store: Store, audiences: Audiences, clock: Clock) -> None:
        self._store = store
        self._audiences = audiences
        self._clock = clock

    async def survey(self) -> None:
        """Ask about the next channels, in order of id, and store what Slack says. Imported rows become public.

        The next run goes on after the last channel that Slack told. Two runs at once do no harm.
        """
        learned = await self._learn(None, Audience.PUBLIC)
        async with self._store.transaction() as tx:
            last = await tx.cursors.get(SURVEY) or ""
            channels = await tx.audiences.unknown_channels(last, SURVEYED_CHANNELS)
            if last and not channels:
                await tx.cursors.move(SURVEY, "", self._clock.now())
        for channel in channels:
            try:
                audience = await self._audiences.of(channel)
            except Undelivered as error:
                log.warning("the audience of a channel cannot be read now: %s", error)
                break
            if audience is not Audience.UNKNOWN:
                learned += await self._learn(channel, audience)
            async with self._store.transaction() as tx:
                await tx.cursors.move(SURVEY, channel, self._clock.now())
        if learned:
            log.info("the audience of %s questions and rows is known now", learned)

    async def _learn(self, channel: str | None, audience: Audience) -> int:
        """Store the audience of a channel; None means imported rows. Return the number of questions and rows."""
        learned = 0
        while True:
            async with self._store.transaction() as tx:
                page = await tx.audiences.learn(channel, audience, LEARNED_PER_TRANSACTION, self._clock.now())
            learned += page
            if not page:
                return learned
