"""Messages to the outside, delivered at least once and in order."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, delete, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.mirrored import MIRROR_TOPIC
from bot.ports import OutboxEntry, OutboxItem
from storage.queue import Lease, claim, claiming, lease_values, release_owned, release_values, update_held
from storage.tables import outbox

_QUEUE, _OLDER = outbox.alias(), outbox.alias()
_HAS_OLDER = exists().where(_OLDER.c.topic == _QUEUE.c.topic, _OLDER.c.key == _QUEUE.c.key, _OLDER.c.id < _QUEUE.c.id)
_CLAIMABLE = select(_QUEUE.c.id).where(_QUEUE.c.due_at <= bindparam("now"), ~_HAS_OLDER)
_CLAIM = claiming(outbox, _CLAIMABLE.order_by(_QUEUE.c.id))
_OF_TOPICS = _QUEUE.c.topic.in_(bindparam("topics", expanding=True))
_CLAIM_OF_TOPICS = claiming(outbox, _CLAIMABLE.where(_OF_TOPICS).order_by(_QUEUE.c.id))
_ADD = insert(outbox)
_ADDED = ("topic", "key", "payload", "added_at", "due_at", "attempts", "holder", "token")
_EARLIER = exists().where(outbox.c.topic == bindparam("topic"), outbox.c.key == bindparam("key"))
_FIRST = select(*(bindparam(name, type_=outbox.c[name].type) for name in _ADDED)).where(~_EARLIER)
_ADD_FIRST = insert(outbox).from_select(_ADDED, _FIRST).returning(outbox.c.id)
_DONE = delete(outbox).where(outbox.c.id == bindparam("entry_id"), outbox.c.token == bindparam("held_token"))


def claimable_entries(topics: Collection[str]) -> Select[tuple[int]]:
    """Build the query for the ids of entries that can be claimed. Its parameter `now` is the present."""
    return _CLAIMABLE.where(_QUEUE.c.topic.in_(topics))


class SqlOutbox:
    """The table `outbox`, which holds only open entries.

    Entries of one topic and key are numbered in the order in which they were added. Concurrent transactions need a lock
    for that order: add an entry only while holding the lock of what it is about, such as a question.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self, topic: str, key: str, payload: dict[str, str], now: datetime, *, due: datetime | None = None
    ) -> None:
        entry = {"topic": topic, "key": key, "payload": payload, "added_at": now, "due_at": due or now, "attempts": 0}
        await self._connection.execute(_ADD, entry)

    async def add_claimed(
        self, topic: str, key: str, payload: dict[str, str], owner: str, now: datetime, lease: timedelta
    ) -> OutboxItem | None:
        entry = {"topic": topic, "key": key, "payload": payload, "added_at": now, "attempts": 1}
        claimed = entry | lease_values(Lease(owner, now, lease))
        new = (await self._connection.execute(_ADD_FIRST, claimed)).scalar_one_or_none()
        return None if new is None else OutboxItem(id=new, token=claimed["token"], **entry)

    async def add_all(self, topic: str, many: Sequence[tuple[str, dict[str, str], datetime]]) -> None:
        entries = [
            {"topic": topic, "key": key, "payload": payload, "added_at": now, "due_at": now, "attempts": 0}
            for key, payload, now in many
        ]
        if entries:
            await self._connection.execute(_ADD, entries)

    async def page(self, topic: str, after: int, limit: int) -> list[OutboxEntry]:
        query = select(*(outbox.c[name] for name in OutboxEntry.model_fields))
        query = query.where(outbox.c.topic == topic, outbox.c.id > after).order_by(outbox.c.id).limit(limit)
        found = await self._connection.execute(query)
        return [OutboxEntry.model_validate(dict(row)) for row in found.mappings()]

    async def remove(self, topic: str, entries: Collection[OutboxEntry]) -> None:
        # SQLite gives the id of a deleted entry to a new one, so an id alone may be that of something else by now.
        same = outbox.c.id.in_({one.id for one in entries}), outbox.c.key.in_({one.key for one in entries})
        await self._connection.execute(delete(outbox).where(outbox.c.topic == topic, *same))

    async def claim(
        self, owner: str, now: datetime, lease: timedelta, topics: Collection[str] | None = None
    ) -> OutboxItem | None:
        taken = Lease(owner, now, lease)
        if topics is None:
            entry = await claim(self._connection, _CLAIM, taken)
        else:
            entry = await claim(self._connection, _CLAIM_OF_TOPICS, taken, topics=list(topics))
        if entry is None:
            return None
        return OutboxItem.model_validate({name: entry[name] for name in OutboxItem.model_fields})

    async def hand_back(self, owner: str, now: datetime) -> int:
        return (await self._connection.execute(release_owned(outbox, owner, now))).rowcount

    async def renew(self, item: OutboxItem, until: datetime) -> bool:
        return await update_held(self._connection, outbox, item.id, item.token, {"due_at": until})

    async def done(self, item: OutboxItem) -> bool:
        return (await self._connection.execute(_DONE, {"entry_id": item.id, "held_token": item.token})).rowcount > 0

    async def retry(self, item: OutboxItem, until: datetime, error: str) -> bool:
        values = release_values(until) | {"error": error}
        return await update_held(self._connection, outbox, item.id, item.token, values)

    async def lag(self, now: datetime, topic: str | None = None) -> tuple[int, timedelta]:
        in_topic = outbox.c.topic != MIRROR_TOPIC if topic is None else outbox.c.topic == topic
        query = select(func.count(), func.min(outbox.c.added_at)).where(in_topic)
        entries, oldest = (await self._connection.execute(query)).one()
        return entries, now - oldest if entries else timedelta()
