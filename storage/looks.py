"""Admins' decisions about rows that were set aside."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.shares import Look
from storage.tables import looks
from storage.upserts import upsert

LOOKS_AT_ONCE = 1_000


class SqlLooks:
    """The table `looks`: the newest decision for each row."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, many: Sequence[Look]) -> None:
        for start in range(0, len(many), LOOKS_AT_ONCE):
            await upsert(self._connection, looks, *(one.model_dump() for one in many[start : start + LOOKS_AT_ONCE]))

    async def all(self) -> dict[str, Look]:
        found = (await self._connection.execute(select(looks))).mappings()
        return {row["row_id"]: Look.model_validate(dict(row)) for row in found}
