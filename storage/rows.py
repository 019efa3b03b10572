"""Dataset rows."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.dataset import Row, Split
from storage.tables import rows
from storage.upserts import upsert

PAGE = 1000
"""How many rows are in memory at once."""

_FIELDS = [rows.c[name] for name in Row.model_fields]
_COUNTED = rows.c.withdrawn_at.is_(None)


class SqlRows:
    """The table `rows`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, row: Row) -> None:
        await upsert(self._connection, rows, row.model_dump() | {"withdrawn_at": None})

    async def withdraw(self, row_id: str, now: datetime) -> None:
        await self._connection.execute(update(rows).where(rows.c.id == row_id, _COUNTED).values(withdrawn_at=now))

    async def get(self, row_id: str) -> Row | None:
        wanted = select(*_FIELDS).where(rows.c.id == row_id, _COUNTED)
        found = (await self._connection.execute(wanted)).mappings().one_or_none()
        return Row.model_validate(dict(found)) if found else None

    async def all(self, split: Split | None = None) -> AsyncIterator[Row]:
        wanted = select(*_FIELDS).where(_COUNTED).order_by(rows.c.id).limit(PAGE)
        if split is not None:
            wanted = wanted.where(rows.c.split == split.value)
        page = (await self._connection.execute(wanted)).mappings().all()
        while page:
            for found in page:
                yield Row.model_validate(dict(found))
            page = (await self._connection.execute(wanted.where(rows.c.id > page[-1]["id"]))).mappings().all()

    async def counts(self) -> dict[tuple[str, Split], int]:
        per = (
            select(rows.c.category, rows.c.split, func.count())
            .where(_COUNTED)
            .group_by(rows.c.category, rows.c.split)
            .order_by(rows.c.category, rows.c.split)
        )
        return {(category, Split(split)): n for category, split, n in await self._connection.execute(per)}
