"""Answers of shadow releases, which nobody is shown."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.shadow import Shadow, ShadowComparison
from storage.audiences import sent_question
from storage.tables import questions, shadows, verdicts
from storage.upserts import upsert


class SqlShadows:
    """The table `shadows`: one row per question and release."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, shadow: Shadow) -> None:
        await upsert(self._connection, shadows, shadow.model_dump())

    async def get(self, question_id: str, release_id: str) -> Shadow | None:
        query = select(shadows).where(shadows.c.question_id == question_id, shadows.c.release_id == release_id)
        found = (await self._connection.execute(query)).mappings().one_or_none()
        return Shadow.model_validate(dict(found)) if found else None

    async def of(self, release_id: str, since: datetime | None = None) -> list[Shadow]:
        query = select(shadows).where(shadows.c.release_id == release_id)
        if since is not None:
            query = query.where(shadows.c.at >= since)
        found = await self._connection.execute(query.order_by(shadows.c.at, shadows.c.question_id))
        return [Shadow.model_validate(dict(row)) for row in found.mappings()]

    async def compared(self, release_id: str) -> list[ShadowComparison]:
        newer = verdicts.alias()
        newest = select(func.max(newer.c.number)).where(newer.c.question_id == shadows.c.question_id).scalar_subquery()
        query = (
            select(
                shadows.c.question_id,
                verdicts.c.category.label("served"),
                shadows.c.category.label("shadow"),
                questions.c.settled,
            )
            .join(questions, questions.c.id == shadows.c.question_id)
            .join(verdicts, verdicts.c.number == newest)
            .where(shadows.c.release_id == release_id, verdicts.c.settled_row.is_(None), sent_question())
            .order_by(shadows.c.at, shadows.c.question_id)
        )
        found = await self._connection.execute(query)
        return [ShadowComparison.model_validate(dict(row)) for row in found.mappings()]
