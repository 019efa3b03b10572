"""Questions that were asked while the bot was away, or whose event never came."""

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from bot.care.caring import Caring
from bot.current_prompt import current_prompt
from bot.domain import intake
from bot.domain.question import Arrival, Missed
from bot.ports import Clock, History, Store, Transaction
from bot.questions.arrivals import storable

log = logging.getLogger(__name__)

EVENT_GRACE = timedelta(seconds=60)
"""Age from which a message is read; the event of a younger one may still be on its way."""
REREAD = timedelta(minutes=10)
"""Overlap with the previous read: clocks differ, and Slack delivers an event up to six minutes late."""
LOOK_BACK = timedelta(days=30)
"""Longest period that is read, however long the bot was away."""
MOVED_PREFIX = "moved:"
"""Prefix of the cursors that hold the new id of a channel, by its former one."""
UNREADABLE_CURSOR = "unreadable"
"""Cursor: the watched channels that the bot cannot read, with Slack's errors, as a JSON object."""
LONGEST_LIST = 20
"""Upper bound of the too old questions that staff see: the newest are listed, the others only counted."""


class CatchingUp:
    """The reading of watched channels since the last read. Each missed question goes into the inbox or to staff, once.

    Args:
        store: The database.
        history: The channels.
        clock: The time.
        answer_within: Age up to which a question is answered; older ones are listed for staff.
        caring: Finds cries for help: they are answered at any age, and never listed.
    """

    def __init__(
        self, store: Store, history: History, clock: Clock, answer_within: timedelta, caring: Caring | None = None
    ) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._answer_within = answer_within
        self._caring = caring or Caring()

    async def catch_up(self, channel: str) -> int:
        """Put the questions that were missed in a channel into the inbox, and list those that are too old for staff.

        The first call for a channel reads nothing: it only stores the current time as the position.

        Returns:
            The number of questions put into the inbox.

        Raises:
            Exception: Whatever the history or the database raises. The position stays as it was.
        """
        now, name = self._clock.now(), f"history:{channel}"
        async with self._store.transaction() as tx:
            position = await tx.cursors.get(name)
            if position is None:
                await tx.cursors.move(name, now.isoformat(), now)
                return 0
        reached = datetime.fromisoformat(position)
        since, until = max(reached - REREAD, now - LOOK_BACK), now - EVENT_GRACE
        asked = sorted([one async for one in self._history.asked(channel, since, until)], key=lambda one: one[0])
        readable = {one.event_id: await storable(one) for _, one in asked}
        cries = await self._cries(arrival for at, arrival in asked if at < now - self._answer_within)
        async with self._store.transaction() as tx:
            # First, because this locks the cursor: of two replicas that read the same period, only one writes.
            if not await tx.cursors.advance(name, position, max(reached, until).isoformat(), now):
                return 0
            missed = [(at, arrival) for at, arrival in asked if not await tx.inbox.knows(arrival.place)]
            late = [one for at, one in missed if at >= now - self._answer_within or one.event_id in cries]
            for arrival in late:
                await tx.inbox.add(readable[arrival.event_id].model_copy(update={"late": True}), now)
            # Old questions before `reached` were listed by the previous read.
            old = [one for at, one in missed if reached < at < now - self._answer_within and one.event_id not in cries]
            await self._list_for_staff(tx, channel, [arrival for arrival in old if intake.notice_for(arrival) is None])
        if late or old:
            log.info("%s: %s missed questions to answer, %s too old to answer", channel, len(late), len(old))
        return len(late)

    async def _cries(self, old: Iterable[Arrival]) -> set[str]:
        """Return the event ids of those of these arrivals that are cries for help."""
        return {arrival.event_id for arrival in old if await self._caring.needs_help(arrival.whole)}

    async def channel_moved(self, old: str, new: str, at: datetime | None) -> None:
        """Store that a channel has a new id since `at`, or since now, and read it under that id from then on.

        Earlier messages are not read again: the inbox knows them under the former id.
        """
        now, name = self._clock.now(), f"history:{new}"
        async with self._store.transaction() as tx:
            await tx.cursors.move(f"{MOVED_PREFIX}{old}", new, now)
            if await tx.cursors.get(name) is None:
                await tx.cursors.move(name, ((at or now) + REREAD).isoformat(), now)

    async def moves(self) -> dict[str, str]:
        """Return the channels that got new ids: former id → new id."""
        async with self._store.transaction() as tx:
            found = await tx.cursors.starting(MOVED_PREFIX)
        return {name.removeprefix(MOVED_PREFIX): new for name, new in found.items()}

    async def store_unreadable(self, channels: Mapping[str, str]) -> None:
        """Store which watched channels cannot be read: id → Slack's error."""
        async with self._store.transaction() as tx:
            await tx.cursors.move(UNREADABLE_CURSOR, json.dumps(dict(channels)), self._clock.now())

    async def _list_for_staff(self, tx: Transaction, channel: str, old: list[Arrival]) -> None:
        if old:
            missed = Missed(
                channel=channel,
                ts=tuple(arrival.place.ts for arrival in old[-LONGEST_LIST:]),
                n=len(old),
                hours=self._answer_within.total_seconds() / 3600,
                language=(await current_prompt(tx)).language,
            )
            await tx.outbox.add("missed", channel, {"missed": missed.model_dump_json()}, self._clock.now())
