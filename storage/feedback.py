"""Askers' feedback on answers, append-only, and owners' reactions."""

from collections.abc import Collection

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.feedback import AskerFeedback
from bot.domain.signal import Signal
from storage.tables import feedback, signals
from storage.upserts import upsert

_LATER = feedback.alias()
_NEWEST_SEQ = select(func.max(_LATER.c.seq)).where(_LATER.c.question_id == feedback.c.question_id).scalar_subquery()
_NEWEST = select(feedback).where(
    feedback.c.question_id.in_(bindparam("ids", expanding=True)), feedback.c.seq == _NEWEST_SEQ
)
_SIGNALS_OF = select(signals).where(signals.c.question_id == bindparam("id")).order_by(signals.c.at, signals.c.by)


class SqlFeedback:
    """The table `feedback`; the database itself refuses updates and deletes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, said: AskerFeedback) -> None:
        """Append feedback.

        Raises:
            sqlalchemy.exc.IntegrityError: The question already has feedback of this `seq`.
        """
        await self._connection.execute(insert(feedback).values(said.model_dump()))

    async def of(self, question_id: str) -> list[AskerFeedback]:
        query = select(feedback).where(feedback.c.question_id == question_id).order_by(feedback.c.seq)
        return [AskerFeedback.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def newest(self, question_ids: Collection[str]) -> dict[str, AskerFeedback]:
        found = (await self._connection.execute(_NEWEST, {"ids": [*question_ids]})).mappings()
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
        found = (await self._connection.execute(_SIGNALS_OF, {"id": question_id})).mappings()
        return [Signal.model_validate(dict(row)) for row in found]
