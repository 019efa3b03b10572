"""The Monday summary: once a week, off and on with one press."""

import uuid
from datetime import UTC, datetime, timedelta

from bot.domain.digest import DIGEST_TOPIC, WEEK, Digest, Judgement, is_due, monday
from bot.finetunes.glancing import Glancing
from bot.ports import Announcer, Clock, Store

SENT_LEASE = "monday-summary"
"""The lease that says that this week's summary is sent. It is never released."""
SENT_FOR = timedelta(days=6)
"""Longer than the rest of any Monday, and over before the next one."""
STOPPED_CURSOR = "monday-summary:stopped"
"""Named value: who stopped the summary; empty while it is sent."""


class Digesting:
    """The weekly summary, queued on Monday from 9:00 on in the time zone of `Announcer.home_offset`.

    A bot that was down at 9:00 queues it later on the same Monday. One transaction stores that the week is sent and
    what to post, so a crash neither loses nor doubles it. A week without any question has no summary.
    """

    def __init__(self, store: Store, glancing: Glancing, announcer: Announcer, clock: Clock) -> None:
        self._store = store
        self._glancing = glancing
        self._announcer = announcer
        self._clock = clock

    async def tick(self) -> None:
        """Queue the summary if it is time. A periodic task of one replica calls this.

        Raises:
            Undelivered: Slack did not tell the time zone; the next call asks again.
        """
        now, offset = self._clock.now(), await self._announcer.home_offset()
        if not is_due(now, offset) or await self.stopped_by():
            return
        digest = await self.digest(monday(now, offset))
        if not digest.asked.total:
            return
        async with self._store.transaction() as tx:
            if await tx.leases.acquire(SENT_LEASE, uuid.uuid4().hex, now, SENT_FOR):
                await tx.outbox.add(
                    DIGEST_TOPIC, digest.until.date().isoformat(), {"digest": digest.model_dump_json()}, now
                )

    async def digest(self, until: datetime) -> Digest:
        """Return the summary of the week that ended at `until`, as it is known now."""
        glance = await self._glancing.glance()
        end = until.astimezone(UTC)
        start, before = end - WEEK, end - 2 * WEEK
        async with self._store.snapshot() as tx:
            judged = await tx.corrections.judged(before)
            return Digest(
                until=until,
                asked=await tx.weeks.asked(start, end),
                asked_before=await tx.weeks.asked(before, start),
                judgement=_judgement(judged, start, end),
                judgement_before=_judgement(judged, before, start),
                waiting=await tx.weeks.waiting(start, end),
                confused=await tx.weeks.confused(start, end),
                gained=await tx.rows.settled_since(start) - await tx.rows.settled_since(end),
                next=glance.next,
            )

    async def stop(self, by: str) -> None:
        """Send no summary from now on."""
        async with self._store.transaction() as tx:
            await tx.cursors.move(STOPPED_CURSOR, by, self._clock.now())

    async def resume(self) -> None:
        """Send the summary again, every Monday."""
        async with self._store.transaction() as tx:
            await tx.cursors.move(STOPPED_CURSOR, "", self._clock.now())

    async def stopped_by(self) -> str | None:
        """Return who stopped the summary; None while it is sent."""
        async with self._store.transaction() as tx:
            return await tx.cursors.get(STOPPED_CURSOR) or None


def _judgement(judged: list[tuple[datetime, bool]], start: datetime, end: datetime) -> Judgement:
    right = [ok for at, ok in judged if start <= at < end]
    return Judgement(judged=len(right), right=sum(right))
