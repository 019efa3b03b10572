"""What askers said about answers, append-only, and owners' reactions."""

from collections.abc import Collection

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.feedback import AskerFeedback
from bot.domain.signal import Signal
from storage.tables import feedback, signals
from storage.upserts import upsert


class SqlFeedback:
    """The table `feedback`; the database itself refuses updates and deletes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, said: AskerFeedback) -> None:
        """Append feedback.

        Raises:
            sqlalchemy.exc.IntegrityError: the question already has feedback of this `seq`.
        """
        await self._connection.execute(insert(feedback).values(said.model_dump()))

    async def of(self, question_id: str) -> list[AskerFeedback]:
        query = select(feedback).where(feedback.c.question_id == question_id).order_by(feedback.c.seq)
        return [AskerFeedback.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def newest(self, question_ids: Collection[str]) -> dict[str, AskerFeedback]:
        later = feedback.alias()
        newest = select(func.max(later.c.seq)).where(later.c.question_id == feedback.c.question_id)
        query = select(feedback).where(
            feedback.c.question_id.in_(question_ids), feedback.c.seq == newest.scalar_subquery()
        )
        found = (await self._connection.execute(query)).mappings()
        return {row["question_id"]: AskerFeedback.model_validate(dict(row)) for row in found}


class SqlSignals:
    """The table `signals`: one row per question, message, kind and person."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, signal: Signal) -> bool:
        same = (
            signals.c.question_id == signal.question_id,
            signals.c.message_ts == signal.message_ts,
            signals.c.kind == signal.kind.value,
            signals.c.by == signal.by,
        )
        known = (await self._connection.execute(select(signals.c.at).where(*same))).scalar_one_or_none()
        if known is not None and known >= signal.at:
            return False
        await upsert(self._connection, signals, signal.model_dump())
        return True

    async def of(self, question_id: str) -> list[Signal]:
        query = select(signals).where(signals.c.question_id == question_id).order_by(signals.c.at, signals.c.by)
        return [Signal.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]
