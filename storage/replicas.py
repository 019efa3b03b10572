"""The live replicas of this program, and the release that each one serves."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.release import ReleaseState
from bot.domain.replica import Replica
from storage.tables import releases, replicas
from storage.upserts import upsert

_SERVING = select(releases.c.id).where(releases.c.state == ReleaseState.SERVING.value).scalar_subquery()


class SqlReplicas:
    """The table `replicas`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def beat(self, replica_id: str, version: str, started_at: datetime, now: datetime) -> None:
        values = {"id": replica_id, "version": version, "started_at": started_at, "seen_at": now}
        await upsert(self._connection, replicas, values | {"release_id": _SERVING})

    async def leave(self, replica_id: str) -> None:
        await self._connection.execute(delete(replicas).where(replicas.c.id == replica_id))

    async def forget(self, before: datetime) -> None:
        await self._connection.execute(delete(replicas).where(replicas.c.seen_at < before))

    async def seen(self, since: datetime) -> list[Replica]:
        query = select(replicas).where(replicas.c.seen_at >= since).order_by(replicas.c.started_at, replicas.c.id)
        return [Replica.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]
