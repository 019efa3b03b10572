"""Arrivals, written before Slack gets its ack, worked on by lease."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.question import Arrival, Ending, InboxItem
from storage.leases import Lease, claim, given_back, held
from storage.tables import inbox
from storage.upserts import insert_new


class SqlInbox:
    """The table `inbox`. Ended arrivals stay, without their text, so that Slack's redeliveries are recognised."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, arrival: Arrival, now: datetime) -> bool:
        values = {
            "event_id": arrival.event_id,
            "arrival": arrival.model_dump(mode="json"),
            "received_at": now,
            "due_at": now,
            "attempts": 0,
        }
        return await insert_new(self._connection, inbox, values, unique=["event_id"])

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> InboxItem | None:
        queue = inbox.alias()
        claimable = select(queue.c.id).where(queue.c.ending.is_(None), queue.c.due_at <= now).order_by(queue.c.id)
        entry = await claim(self._connection, inbox, claimable, Lease(owner, now, lease))
        if entry is None:
            return None
        return InboxItem(
            id=entry["id"],
            arrival=Arrival.model_validate(entry["arrival"]),
            attempts=entry["attempts"],
            token=entry["token"],
        )

    async def finish(self, item: InboxItem, ending: Ending, why: str | None, now: datetime) -> bool:
        forgotten = item.arrival.model_copy(update={"text": ""})
        ended = held(inbox, item.id, item.token).values(
            ending=ending.value,
            why=why,
            ended_at=now,
            arrival=forgotten.model_dump(mode="json"),
            token=None,
        )
        return (await self._connection.execute(ended)).rowcount > 0

    async def postpone(self, item: InboxItem, until: datetime) -> bool:
        back = held(inbox, item.id, item.token).values(given_back(until))
        return (await self._connection.execute(back)).rowcount > 0

    async def open(self) -> int:
        count = select(func.count()).select_from(inbox).where(inbox.c.ending.is_(None))
        return (await self._connection.execute(count)).scalar_one()
