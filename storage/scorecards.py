"""Evaluations."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.scorecard import Scorecard
from storage.tables import scorecards
from storage.upserts import upsert


class SqlScorecards:
    """The table `scorecards`: one per release and frozen rows, the newest."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, scorecard: Scorecard) -> None:
        await upsert(self._connection, scorecards, scorecard.model_dump())

    async def get(self, release_id: str, rows_key: str) -> Scorecard | None:
        wanted = select(scorecards).where(scorecards.c.release_id == release_id, scorecards.c.rows_key == rows_key)
        found = (await self._connection.execute(wanted)).mappings().one_or_none()
        return Scorecard.model_validate(dict(found)) if found else None
