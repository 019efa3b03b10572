"""The audit log, and the aliases under which people stand in it."""

import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.audit import ALIAS, OPERATOR, AuditAct, AuditCheckpoint, AuditEntry
from bot.domain.release import SYSTEM
from storage.cursors import SqlCursors
from storage.locks import Lock, acquire_lock
from storage.tables import audit_log, audit_people, erasing

CHECKPOINT, CHECKPOINT_KEY = "audit:checkpoint", "audit:key"
"""Cursors: what stands in the place of old entries, as JSON, and the key of its signature, hexadecimal."""


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
            who=who if who in {SYSTEM, OPERATOR} else await self.alias(who),
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

    async def retire(self, before: datetime, now: datetime) -> AuditCheckpoint | None:
        await acquire_lock(self._connection, Lock.AUDIT)
        query = select(audit_log).where(audit_log.c.at < before).order_by(audit_log.c.seq.desc()).limit(1)
        found = (await self._connection.execute(query)).mappings().one_or_none()
        newest = await self.last(1)
        if found is None or not newest or found["seq"] == newest[0].seq:
            return None  # the newest entry stays: the next one follows from it
        last, (known, _) = AuditEntry.model_validate(dict(found)), await self.checkpoint()
        taken = last.seq - (known.seq if known else 0)
        total = taken + (known.entries if known else 0)
        made = AuditCheckpoint(seq=last.seq, hash=last.hash, entries=total, at=now).signed(await self._key())
        await self._connection.execute(insert(erasing).values(id=1))
        await self._connection.execute(delete(audit_log).where(audit_log.c.seq <= last.seq))
        await self._connection.execute(delete(erasing))
        await SqlCursors(self._connection).move(CHECKPOINT, made.model_dump_json(), now)
        await self.add(SYSTEM, AuditAct.RETIRED, now, last.hash, {"entries": taken, "seq": last.seq})
        return made

    async def checkpoint(self) -> tuple[AuditCheckpoint | None, bool]:
        kept = await SqlCursors(self._connection).get(CHECKPOINT)
        if kept is None:
            return None, True
        checkpoint = AuditCheckpoint.model_validate_json(kept)
        return checkpoint, checkpoint.is_signed(await self._key())

    async def _key(self) -> bytes:
        cursors = SqlCursors(self._connection)
        known = await cursors.get(CHECKPOINT_KEY)
        if known is None:
            known = secrets.token_hex(32)
            await cursors.move(CHECKPOINT_KEY, known, datetime.fromtimestamp(0, UTC))
        return bytes.fromhex(known)

    async def alias(self, person: str) -> str:
        await acquire_lock(self._connection, Lock.AUDIT)  # two transactions must not name the same person
        query = select(audit_people.c.alias).where(audit_people.c.user_id == person)
        known = (await self._connection.execute(query)).scalar()
        if known:
            return str(known)
        alias = f"{ALIAS}{uuid.uuid4().hex[:12]}"
        await self._connection.execute(insert(audit_people).values(user_id=person, alias=alias))
        return alias
