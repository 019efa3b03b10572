"""Named leases, each held by one replica at a time."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import HeldLease
from storage.tables import leases
from storage.upserts import insert_into


class SqlLeases:
    """The table `leases`: one row per name, with its last holder."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def acquire(self, name: str, holder: str, now: datetime, lease: timedelta) -> str | None:
        return (await self.acquire_all([name], holder, now, lease)).get(name)

    async def acquire_all(self, names: Collection[str], holder: str, now: datetime, lease: timedelta) -> dict[str, str]:
        if not names:
            return {}
        token = secrets.token_hex(16)
        values = {"holder": holder, "token": token, "until": now + lease}
        insert = insert_into(self._connection.dialect.name, leases)
        # In order of name, so that two replicas never wait for each other.
        statement = insert.values([{"name": name, **values} for name in sorted(names)]).on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={name: insert.excluded[name] for name in values},
            where=or_(leases.c.until <= now, leases.c.holder == holder),
        )
        acquired = await self._connection.execute(statement.returning(leases.c.name))
        return dict.fromkeys(acquired.scalars(), token)

    async def release(self, name: str, token: str) -> None:
        await self._connection.execute(delete(leases).where(leases.c.name == name, leases.c.token == token))

    async def all(self) -> list[HeldLease]:
        found = await self._connection.execute(select(leases).order_by(leases.c.name))
        return [
            HeldLease.model_validate({name: row[name] for name in HeldLease.model_fields}) for row in found.mappings()
        ]
