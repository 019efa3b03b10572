"""The work that is due now, in all queues at once."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import DueWork
from storage.finetunes import IS_UNDER_WAY
from storage.inbox import CLAIMABLE_ARRIVALS
from storage.outbox import claimable_entries


class SqlDue:
    """One look at the inbox, the outbox and the fine-tunes, which changes nothing."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def work(self, now: datetime, queues: Sequence[Collection[str]]) -> DueWork:
        statement = _look(tuple(map(tuple, queues)))
        found = (await self._connection.execute(statement, {"now": now})).one()
        arrivals, finetunes, *entries = map(bool, found)
        return DueWork(arrivals, tuple(entries), finetunes)


@cache
def _look(queues: tuple[tuple[str, ...], ...]) -> Select[Any]:
    entries = (claimable_entries(topics) for topics in queues)
    looks: list[Any] = [exists(one) for one in (CLAIMABLE_ARRIVALS, IS_UNDER_WAY, *entries)]
    return select(*(one.label(f"is_due_{n}") for n, one in enumerate(looks)))
