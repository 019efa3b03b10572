"""Finds what was asked while nobody heard it: while the bot was away, or where an event never came."""

import logging
from datetime import datetime, timedelta

from bot.current_prompt import current_prompt
from bot.domain import intake
from bot.domain.question import Arrival, Missed
from bot.ports import Clock, History, Store, Transaction

log = logging.getLogger(__name__)

SETTLED = timedelta(seconds=60)
"""A younger message may still be on its way as an event."""
REREAD = timedelta(minutes=10)
"""What was read is read again for so long: clocks differ, and Slack brings an event up to six minutes later."""
LOOK_BACK = timedelta(days=30)
"""Further back nothing is read, however long the bot was away."""
LISTED = 20
"""Of the questions that are too old, so many of the newest are shown to staff; the others are counted."""


class CatchingUp:
    """Reads watched channels from where they were read last. What is found is in the inbox, or told to staff, once.

    Args:
        store: the record.
        history: the channels.
        clock: the time.
        patience: how old a question may be to be answered; older ones are listed for staff.
    """

    def __init__(self, store: Store, history: History, clock: Clock, patience: timedelta) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._patience = patience

    async def catch_up(self, channel: str) -> int:
        """Take in what was missed in a channel; how many questions. The first time it begins now: the past is past.

        Raises whatever the history and the database raise; then nothing is noted as read.
        """
        now, name = self._clock.now(), f"history:{channel}"
        async with self._store.transaction() as tx:
            position = await tx.cursors.get(name)
            if position is None:
                await tx.cursors.move(name, now.isoformat(), now)
                return 0
        reached = datetime.fromisoformat(position)
        since, until = max(reached - REREAD, now - LOOK_BACK), now - SETTLED
        asked = sorted([one async for one in self._history.asked(channel, since, until)], key=lambda one: one[0])
        async with self._store.transaction() as tx:
            # First, for it holds the entry: of two that read the same stretch, one writes.
            if not await tx.cursors.advance(name, position, max(reached, until).isoformat(), now):
                return 0
            missed = [(at, arrival) for at, arrival in asked if not await tx.inbox.knows(arrival.place)]
            late = [arrival for at, arrival in missed if at >= now - self._patience]
            for arrival in late:
                await tx.inbox.add(intake.kept(arrival).model_copy(update={"late": True}), now)
            # What is too old and lies before `reached` was listed when that was read.
            old = [arrival for at, arrival in missed if reached < at < now - self._patience]
            await self._list(tx, channel, [arrival for arrival in old if intake.notice_for(arrival) is None])
        if late or old:
            log.info("%s: %s questions were missed, %s are too old to be answered", channel, len(late), len(old))
        return len(late)

    async def _list(self, tx: Transaction, channel: str, old: list[Arrival]) -> None:
        if old:
            missed = Missed(
                channel=channel,
                ts=tuple(arrival.place.ts for arrival in old[-LISTED:]),
                n=len(old),
                hours=self._patience.total_seconds() / 3600,
                language=(await current_prompt(tx)).language,
            )
            await tx.outbox.add("missed", channel, {"missed": missed.model_dump_json()}, self._clock.now())
