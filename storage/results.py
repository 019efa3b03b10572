"""Answers that releases gave in evaluations."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.scorecard import Result
from storage.tables import results
from storage.upserts import upsert


class SqlResults:
    """The table `results`: one row per release and text."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, results_: Sequence[Result]) -> None:
        await upsert(self._connection, results, *(result.model_dump() for result in results_))

    async def of(self, release_id: str) -> dict[str, Result]:
        found = await self._connection.execute(select(results).where(results.c.release_id == release_id))
        return {row["text_key"]: Result.model_validate(dict(row)) for row in found.mappings()}
