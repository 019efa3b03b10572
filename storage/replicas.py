"""The live replicas of this program, and the release that each one serves."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.replica import Replica
from storage.tables import replicas
from storage.upserts import upsert


class SqlReplicas:
    """The table `replicas`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def beat(self, replica: Replica) -> None:
        await upsert(self._connection, replicas, replica.model_dump())

    async def leave(self, replica_id: str) -> None:
        await self._connection.execute(delete(replicas).where(replicas.c.id == replica_id))

    async def forget(self, before: datetime) -> None:
        await self._connection.execute(delete(replicas).where(replicas.c.seen_at < before))

    async def seen(self, since: datetime) -> list[Replica]:
        query = select(replicas).where(replicas.c.seen_at >= since).order_by(replicas.c.started_at, replicas.c.id)
        return [Replica.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]
