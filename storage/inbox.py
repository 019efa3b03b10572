"""Arrivals, written before Slack gets its ack, worked on by lease."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.question import Arrival, Ending, InboxItem, Place
from storage.queue import Lease, claim, given_back, handed_back, held
from storage.tables import inbox
from storage.upserts import insert_new


class SqlInbox:
    """The table `inbox`. Ended arrivals stay, without their text, so that Slack's redeliveries are recognised."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, arrival: Arrival, now: datetime) -> bool:
        values = {
            "event_id": arrival.event_id,
            "place": _named(arrival.place),
            "arrival": _document(arrival),
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
            arrival=Arrival.kept(entry["arrival"]),
            attempts=entry["attempts"],
            token=entry["token"],
            received_at=entry["received_at"],
        )

    async def finish(self, item: InboxItem, ending: Ending, why: str | None, now: datetime) -> bool:
        forgotten = item.arrival.model_copy(update={"text": ""})
        ended = held(inbox, item.id, item.token).values(
            ending=ending.value,
            why=why,
            ended_at=now,
            arrival=_document(forgotten),
            token=None,
        )
        return (await self._connection.execute(ended)).rowcount > 0

    async def postpone(self, item: InboxItem, until: datetime) -> bool:
        back = held(inbox, item.id, item.token).values(given_back(until))
        return (await self._connection.execute(back)).rowcount > 0

    async def hand_back(self, owner: str, now: datetime) -> int:
        mine = handed_back(inbox, owner, now).where(inbox.c.ending.is_(None))
        return (await self._connection.execute(mine)).rowcount

    async def renew(self, item: InboxItem, until: datetime) -> bool:
        return (await self._connection.execute(held(inbox, item.id, item.token).values(due_at=until))).rowcount > 0

    async def of(self, place: Place) -> list[tuple[Arrival, Ending | None]]:
        wanted = select(inbox.c.arrival, inbox.c.ending).where(inbox.c.place == _named(place)).order_by(inbox.c.id)
        return [
            (Arrival.kept(one), None if ending is None else Ending(ending))
            for one, ending in await self._connection.execute(wanted)
        ]

    async def knows(self, place: Place) -> bool:
        wanted = select(inbox.c.id).where(inbox.c.place == _named(place)).limit(1)
        return (await self._connection.execute(wanted)).scalar() is not None

    async def prune(self, before: datetime, most: int) -> int:
        oldest = select(inbox.c.id).order_by(inbox.c.id).limit(most)
        ended = delete(inbox).where(inbox.c.id.in_(oldest.scalar_subquery()), inbox.c.ended_at < before)
        return (await self._connection.execute(ended)).rowcount

    async def open(self) -> int:
        count = select(func.count()).select_from(inbox).where(inbox.c.ending.is_(None))
        return (await self._connection.execute(count)).scalar_one()

    async def depth(self, now: datetime) -> tuple[int, timedelta]:
        wanted = select(func.count(), func.min(inbox.c.received_at)).where(inbox.c.ending.is_(None))
        entries, oldest = (await self._connection.execute(wanted)).one()
        return entries, now - oldest if entries else timedelta()


def _named(place: Place) -> str:
    return f"{place.team}:{place.channel}:{place.ts}"


def _document(arrival: Arrival) -> dict[str, Any]:
    """As it is kept: what says nothing is left out, for a program of the version before may not know that field."""
    return arrival.model_dump(mode="json", exclude_defaults=True)
