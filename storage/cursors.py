"""Named cursors, which record how far something was read."""

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import cursors
from storage.upserts import upsert

_POSITION = select(cursors.c.position).where(cursors.c.name == bindparam("name"))


class SqlCursors:
    """The table `cursors`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, name: str) -> str | None:
        return (await self._connection.execute(_POSITION, {"name": name})).scalar()

    async def starting(self, prefix: str) -> dict[str, str]:
        query = select(cursors.c.name, cursors.c.position).where(cursors.c.name.startswith(prefix, autoescape=True))
        return {row.name: row.position for row in await self._connection.execute(query)}

    async def move(self, name: str, position: str, now: datetime) -> None:
        await upsert(self._connection, cursors, {"name": name, "position": position, "moved_at": now})

    async def advance(self, name: str, was: str, position: str, now: datetime) -> bool:
        statement = update(cursors).where(cursors.c.name == name, cursors.c.position == was)
        return (await self._connection.execute(statement.values(position=position, moved_at=now))).rowcount > 0
