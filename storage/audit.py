"""The audit log, and the aliases under which people stand in it."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audit import OPERATOR, AuditAct, AuditEntry
from bot.domain.release import SYSTEM
from storage.locks import Lock, acquire_lock
from storage.tables import audit_log, audit_people


class SqlAuditLog:
    """The table `audit_log`; the database itself refuses updates and deletes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self, who: str, act: AuditAct, now: datetime, thing: str = "", facts: Mapping[str, str | int] | None = None
    ) -> None:
        # Two transactions must not follow the same entry. It is the last lock that a transaction takes.
        await acquire_lock(self._connection, Lock.AUDIT)
        newest = await self.last(1)
        entry = AuditEntry(
            seq=newest[0].seq + 1 if newest else 1,
            at=now,
            who=who if who in {SYSTEM, OPERATOR} else await self._alias(who),
            act=act,
            thing=thing,
            facts=dict(facts or {}),
            before=newest[0].hash if newest else "",
        ).sealed()
        await self._connection.execute(insert(audit_log).values(entry.model_dump()))

    async def last(self, most: int) -> list[AuditEntry]:
        query = select(audit_log).order_by(audit_log.c.seq.desc()).limit(most)
        return [AuditEntry.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def after(self, seq: int, most: int) -> list[AuditEntry]:
        query = select(audit_log).where(audit_log.c.seq > seq).order_by(audit_log.c.seq).limit(most)
        return [AuditEntry.model_validate(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def people(self) -> dict[str, str]:
        found = await self._connection.execute(select(audit_people.c.alias, audit_people.c.user_id))
        return {row.alias: row.user_id for row in found}

    async def _alias(self, user_id: str) -> str:
        query = select(audit_people.c.alias).where(audit_people.c.user_id == user_id)
        known = (await self._connection.execute(query)).scalar()
        if known:
            return str(known)
        alias = f"person-{uuid.uuid4().hex[:12]}"
        await self._connection.execute(insert(audit_people).values(user_id=user_id, alias=alias))
        return alias
