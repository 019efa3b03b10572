"""Each person's recent questions, for the limit of questions per hour."""

from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.hourly import Hourly
from storage.tables import askers
from storage.upserts import insert_new, upsert

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class SqlAskers:
    """The table `askers`. It holds no text, and nothing of people who asked nothing for some days."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lately(self, person: str, *, lock: bool = False) -> Hourly:
        if lock:
            # A person who never asked has no row to lock.
            new = {"person": person, "lately": {}, "asked_at": NEVER}
            await insert_new(self._connection, askers, new, unique=["person"])
        query = select(askers.c.lately).where(askers.c.person == person)
        found = (await self._connection.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
        return Hourly.kept(found or {})

    async def put(self, person: str, lately: Hourly, now: datetime) -> None:
        values = {"person": person, "lately": lately.model_dump(mode="json"), "asked_at": now}
        await upsert(self._connection, askers, values)

    async def prune(self, before: datetime) -> None:
        await self._connection.execute(delete(askers).where(askers.c.asked_at < before))
