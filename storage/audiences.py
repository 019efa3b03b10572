"""The audience of questions and rows: which are unknown, what Slack said later, and which are direct messages."""

from datetime import datetime

from sqlalchemy import ColumnElement, Table, exists, func, or_, select, text, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audience import Audience
from bot.domain.question import SENT
from storage.tables import questions, rows

_UNKNOWN = text("audience = 'unknown'")  # as in the partial indexes, so that they are used


def _direct(table: Table) -> ColumnElement[bool]:
    channel = func.coalesce(table.c.channel, "")
    return or_(table.c.audience == Audience.DIRECT.value, channel.startswith("D"))


def sent_question() -> ColumnElement[bool]:
    """Return the condition that a question is no direct message, or one that its asker sent (`Question.unsent`)."""
    return or_(~_direct(questions), func.coalesce(questions.c.disclosure, "").in_([one.value for one in SENT]))


def sent_row() -> ColumnElement[bool]:
    """Return the condition that a row is not of a direct message that was never sent. Such rows are never read."""
    sent = exists().where(questions.c.id == rows.c.id, questions.c.disclosure.in_([one.value for one in SENT]))
    return or_(~_direct(rows), sent)


class SqlAudiences:
    """The column `audience` of the tables `questions` and `rows`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def unknown_channels(self, after: str, limit: int) -> list[str]:
        parts = (select(table.c.channel).where(_UNKNOWN, table.c.channel > after) for table in (questions, rows))
        either = union(*parts).subquery()
        query = select(either.c.channel).order_by(either.c.channel).limit(limit)
        return [*(await self._connection.execute(query)).scalars()]

    async def learn(
        self,
        channel: str | None,
        audience: Audience,
        most: int,
        now: datetime,  # noqa: ARG002 - the mirror's needs it
    ) -> int:
        learned = await self._learn(questions, channel, audience, most)
        return len(learned) + len(await self._learn(rows, channel, audience, most))

    async def _learn(self, table: Table, channel: str | None, audience: Audience, most: int) -> list[str]:
        """Return the ids of the changed questions or rows."""
        page = select(table.c.id).where(_UNKNOWN, table.c.channel == channel).limit(most)
        statement = update(table).where(table.c.id.in_(page.scalar_subquery()), _UNKNOWN).values(audience=audience)
        return [*(await self._connection.execute(statement.returning(table.c.id))).scalars()]
