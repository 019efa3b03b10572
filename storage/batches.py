"""Evaluation batches."""

from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.batch import OPEN_BATCHES, Batch
from storage.tables import evaluation_batches as table


class SqlBatches:
    """The table `evaluation_batches`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, batch: Batch) -> None:
        """Insert a batch.

        Raises:
            sqlalchemy.exc.IntegrityError: The id exists, or the release already has an open batch.
        """
        await self._connection.execute(insert(table).values(batch.model_dump()))

    async def get(self, batch_id: str) -> Batch | None:
        found = await self._select(select(table).where(table.c.id == batch_id))
        return found[0] if found else None

    async def open(self) -> list[Batch]:
        query = select(table).where(table.c.state.in_([state.value for state in OPEN_BATCHES]))
        return await self._select(query.order_by(table.c.created_at, table.c.id))

    async def advance(self, batch: Batch, was: Batch) -> bool:
        unchanged = (table.c.id == was.id, table.c.state == was.state.value, table.c.updated_at == was.updated_at)
        return (await self._connection.execute(update(table).where(*unchanged).values(batch.model_dump()))).rowcount > 0

    async def _select(self, query: Select[Any]) -> list[Batch]:
        return [Batch.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]
