"""Arrivals, stored before Slack gets its ack and processed under a lease."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from bot.domain.question import Arrival, Ending, InboxItem, Place
from storage.queue import Lease, claim, claiming, lease_values, release_owned, release_values, update_held
from storage.tables import TOO_MANY_ASKED, inbox, tombstones
from storage.upserts import insert_into

OTHERS = {"quotes", "authors"}
"""Fields of an arrival in a column of their own."""
_QUEUE = inbox.alias()
_OPEN = (_QUEUE.c.ending.is_(None), _QUEUE.c.due_at <= bindparam("now"))
CLAIMABLE_ARRIVALS = select(_QUEUE.c.id).where(*_OPEN)
_CLAIM = claiming(inbox, CLAIMABLE_ARRIVALS.order_by(_QUEUE.c.id))
_BURIED = select(tombstones.c.place).where(tombstones.c.place == bindparam("place"))
_HELD = ("attempts", "due_at", "holder", "token")
_COLUMNS = ("event_id", "place", "arrival", "received_at", "audience", "others", *_HELD)
_NEW = select(*(bindparam(name, type_=inbox.c[name].type) for name in _COLUMNS)).where(~_BURIED.exists())
_KNOWN = select(inbox.c.place).where(inbox.c.place == bindparam("place")).union(_BURIED).limit(1)


class SqlInbox:
    """The table `inbox`. Ended arrivals stay without their text, so that Slack's redeliveries are recognised."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, arrival: Arrival, now: datetime) -> bool:
        return await self._add(arrival, now, release_values(now) | {"attempts": 0}) is not None

    async def add_claimed(self, arrival: Arrival, owner: str, now: datetime, lease: timedelta) -> InboxItem | None:
        claimed = lease_values(Lease(owner, now, lease))
        new = await self._add(arrival, now, claimed | {"attempts": 1})
        if new is None:
            return None
        return InboxItem(id=new, arrival=arrival, attempts=1, token=claimed["token"], received_at=now)

    async def _add(self, arrival: Arrival, now: datetime, held: Mapping[str, Any]) -> int | None:
        """Insert an arrival and return its id, or None if its event is known or its message was forgotten."""
        values: dict[str, Any] = {
            "event_id": arrival.event_id,
            "place": _place_key(arrival.place),
            "arrival": _to_document(arrival),
            "received_at": now,
            "audience": arrival.audience,
            "others": _others(arrival),
        }
        statement = _add(self._connection.dialect.name)
        new: int | None = (await self._connection.execute(statement, {**values, **held})).scalar_one_or_none()
        return new

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> InboxItem | None:
        entry = await claim(self._connection, _CLAIM, Lease(owner, now, lease))
        if entry is None:
            return None
        return InboxItem(
            id=entry["id"],
            arrival=Arrival.kept(entry["arrival"] | {"audience": entry["audience"]} | (entry["others"] or {})),
            attempts=entry["attempts"],
            token=entry["token"],
            received_at=entry["received_at"],
        )

    async def finish(self, item: InboxItem, ending: Ending, why: str | None, now: datetime) -> bool:
        without_text = item.arrival.model_copy(update={"text": ""})
        values = {
            "ending": ending.value,
            "why": why,
            "ended_at": now,
            "arrival": _to_document(without_text),
            "others": None,
            "token": None,
        }
        return await update_held(self._connection, inbox, item.id, item.token, values)

    async def postpone(self, item: InboxItem, until: datetime) -> bool:
        return await update_held(self._connection, inbox, item.id, item.token, release_values(until))

    async def hand_back(self, owner: str, now: datetime) -> int:
        statement = release_owned(inbox, owner, now).where(inbox.c.ending.is_(None))
        return (await self._connection.execute(statement)).rowcount

    async def renew(self, item: InboxItem, until: datetime) -> bool:
        return await update_held(self._connection, inbox, item.id, item.token, {"due_at": until})

    async def of(self, place: Place) -> list[tuple[Arrival, Ending | None]]:
        query = select(inbox.c.arrival, inbox.c.ending).where(inbox.c.place == _place_key(place)).order_by(inbox.c.id)
        return [
            (Arrival.kept(one), None if ending is None else Ending(ending))
            for one, ending in await self._connection.execute(query)
        ]

    async def knows(self, place: Place) -> bool:
        return (await self._connection.execute(_KNOWN, {"place": _place_key(place)})).scalar() is not None

    async def prune(self, before: datetime, most: int) -> int:
        oldest = select(inbox.c.id).order_by(inbox.c.id).limit(most)
        statement = delete(inbox).where(inbox.c.id.in_(oldest.scalar_subquery()), inbox.c.ended_at < before)
        return (await self._connection.execute(statement)).rowcount

    async def open(self) -> int:
        count = select(func.count()).select_from(inbox).where(inbox.c.ending.is_(None))
        return (await self._connection.execute(count)).scalar_one()

    async def limited(self, since: datetime) -> int:
        count = select(func.count()).select_from(inbox).where(TOO_MANY_ASKED, inbox.c.ended_at >= since)
        return (await self._connection.execute(count)).scalar_one()

    async def depth(self, now: datetime) -> tuple[int, timedelta]:
        query = select(func.count(), func.min(inbox.c.received_at)).where(inbox.c.ending.is_(None))
        entries, oldest = (await self._connection.execute(query)).one()
        return entries, now - oldest if entries else timedelta()


@cache
def _add(dialect: str) -> ReturningInsert[Any]:
    """Build the insert of an arrival that is not known and whose message was not forgotten."""
    new = insert_into(dialect, inbox).from_select(_COLUMNS, _NEW)
    return new.on_conflict_do_nothing(index_elements=["event_id"]).returning(inbox.c.id)


def _place_key(place: Place) -> str:
    return f"{place.team}:{place.channel}:{place.ts}"


def _to_document(arrival: Arrival) -> dict[str, Any]:
    """Return an arrival as it is stored, without default values: the previous version may not know a new field."""
    return arrival.model_dump(mode="json", exclude_defaults=True, exclude={"audience", *OTHERS})


def _others(arrival: Arrival) -> dict[str, Any] | None:
    """Return what an arrival holds of other people, or None if it holds nothing of them."""
    return arrival.model_dump(mode="json", include=OTHERS) if arrival.authors or arrival.quotes else None
