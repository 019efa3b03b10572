"""Files and lists in Slack that show questions."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.forgetting import FORGOTTEN_PREFIX, Posted
from storage.locks import Lock, acquire_lock
from storage.tables import posts, questions, rows

PEOPLE = ("U", "W")
"""Beginnings of the ids of people; those of questions and rows begin in small letters or with a figure."""
IDS_AT_ONCE = 1_000


class SqlPosts:
    """The table `posts`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, posted: Posted) -> bool:
        await acquire_lock(self._connection, Lock.POSTS)  # so that an erasure that begins meanwhile sees it
        shown = {one for one in posted.holds if not one.startswith(PEOPLE)}
        if await find_standing(self._connection, shown) != shown:
            return False
        values = posted.model_dump() | {"holds": [*posted.holds], "files": [*posted.files]}
        await self._connection.execute(insert(posts).values(values))
        return True

    async def complete(self, posted_id: str, ts: str | None, files: Collection[str]) -> None:
        place = {"ts": ts, "files": [*files]}
        await self._connection.execute(update(posts).where(posts.c.id == posted_id).values(place))

    async def shown(self, channel: str, ts: str, holds: Collection[str]) -> bool:
        query = select(posts.c.id, posts.c.holds).where(posts.c.channel == channel, posts.c.ts == ts).with_for_update()
        found = (await self._connection.execute(query)).one_or_none()
        if found is None:
            return False
        values = {"holds": sorted({*found.holds, *holds})}
        await self._connection.execute(update(posts).where(posts.c.id == found.id).values(values))
        return True

    async def get(self, posted_id: str) -> Posted | None:
        found = (await self._connection.execute(select(posts).where(posts.c.id == posted_id))).mappings().one_or_none()
        return Posted.kept(dict(found)) if found else None

    async def files(self) -> set[str]:
        found = (await self._connection.execute(select(posts.c.files))).scalars()
        return {one for files in found for one in files}

    async def holding(self, ids: Collection[str]) -> list[str]:
        wanted = {*ids}
        query = select(posts.c.id, posts.c.holds).where(~posts.c.leaving).order_by(posts.c.id)
        return [one for one, holds in await self._connection.execute(query) if not wanted.isdisjoint(holds)]

    async def leave(self, ids: Collection[str] = (), before: datetime | None = None) -> tuple[str, ...]:
        """Mark, for their removal, what shows one of these or is older than a time; return the ids of the posts."""
        await acquire_lock(self._connection, Lock.POSTS)
        found = await self.holding(ids) if ids else []
        if before is not None:
            old = select(posts.c.id).where(~posts.c.leaving, posts.c.at < before).order_by(posts.c.id)
            found = [*(await self._connection.execute(old)).scalars()]
        await self._connection.execute(update(posts).where(posts.c.id.in_(found)).values(leaving=True))
        return tuple(found)

    async def remove(self, posted_id: str) -> None:
        await self._connection.execute(delete(posts).where(posts.c.id == posted_id))


async def find_standing(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Return those of these that are questions or rows that were not forgotten."""
    every, standing = sorted(ids), set[str]()
    for some in (every[start : start + IDS_AT_ONCE] for start in range(0, len(every), IDS_AT_ONCE)):
        live = select(rows.c.id).where(rows.c.id.in_(some), ~rows.c.group.startswith(FORGOTTEN_PREFIX))
        asked = select(questions.c.id).where(questions.c.id.in_(some))
        standing.update((await connection.execute(live.union(asked))).scalars())
    return standing
