"""Marks of the review queue, append-only."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.mark import MarkKind, QueueMark
from storage.tables import review_marks

_FIELDS = [review_marks.c[name] for name in QueueMark.model_fields]


class SqlMarks:
    """The table `review_marks`; the database itself refuses updates and deletes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, mark: QueueMark) -> None:
        values = mark.model_dump() | {"before": _document(mark)}
        await self._connection.execute(insert(review_marks).values(values))

    async def of(self, by: str, since: datetime) -> list[QueueMark]:
        query = select(*_FIELDS).where(review_marks.c.by == by, review_marks.c.at >= since)
        found = await self._connection.execute(query.order_by(review_marks.c.number))
        return [QueueMark.kept(dict(row)) for row in found.mappings()]

    async def skipped(self, by: str) -> dict[str, datetime]:
        newest = select(func.max(review_marks.c.number)).where(review_marks.c.by == by).group_by(review_marks.c.key)
        query = select(review_marks.c.key, review_marks.c.at).where(
            review_marks.c.number.in_(newest), review_marks.c.kind == MarkKind.SKIP.value
        )
        found = await self._connection.execute(query.order_by(review_marks.c.number))
        return {row.key: row.at for row in found}


def _document(mark: QueueMark) -> dict[str, Any] | None:
    if mark.before is None:
        return None
    return {row: was.model_dump(mode="json", exclude_none=True) for row, was in mark.before.items()}
