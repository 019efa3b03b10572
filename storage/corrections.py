"""What staff said, append-only."""

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.correction import Correction
from storage.tables import corrections


class SqlCorrections:
    """The table `corrections`; the database itself refuses to change or delete what stands in it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, correction: Correction) -> None:
        """Raises sqlalchemy.exc.IntegrityError where this (question, seq) exists."""
        await self._connection.execute(insert(corrections).values(correction.model_dump()))

    async def of(self, question_id: str) -> list[Correction]:
        said = select(corrections).where(corrections.c.question_id == question_id).order_by(corrections.c.seq)
        return [Correction.model_validate(dict(row)) for row in (await self._connection.execute(said)).mappings()]
