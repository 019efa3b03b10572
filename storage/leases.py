"""Named leases, each held by one replica at a time."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import HeldLease
from storage.tables import leases
from storage.upserts import insert_new


class SqlLeases:
    """The table `leases`: one row per name, with its last holder."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def acquire(self, name: str, holder: str, now: datetime, lease: timedelta) -> str | None:
        token = secrets.token_hex(16)
        values = {"holder": holder, "token": token, "until": now + lease}
        if await insert_new(self._connection, leases, {"name": name, **values}, unique=["name"]):
            return token
        free = or_(leases.c.until <= now, leases.c.holder == holder)
        statement = update(leases).where(leases.c.name == name, free).values(values)
        return token if (await self._connection.execute(statement)).rowcount else None

    async def release(self, name: str, token: str) -> None:
        await self._connection.execute(delete(leases).where(leases.c.name == name, leases.c.token == token))

    async def all(self) -> list[HeldLease]:
        found = await self._connection.execute(select(leases).order_by(leases.c.name))
        return [
            HeldLease.model_validate({name: row[name] for name in HeldLease.model_fields}) for row in found.mappings()
        ]
