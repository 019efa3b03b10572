"""What shadow releases would have answered."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.scorecard import Shadow
from storage.tables import shadows
from storage.upserts import upsert


class SqlShadows:
    """The table `shadows`: one per question and release."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, shadow: Shadow) -> None:
        await upsert(self._connection, shadows, shadow.model_dump())

    async def of(self, release_id: str, since: datetime | None = None) -> list[Shadow]:
        wanted = select(shadows).where(shadows.c.release_id == release_id)
        if since is not None:
            wanted = wanted.where(shadows.c.at >= since)
        found = await self._connection.execute(wanted.order_by(shadows.c.at, shadows.c.question_id))
        return [Shadow.model_validate(dict(row)) for row in found.mappings()]
