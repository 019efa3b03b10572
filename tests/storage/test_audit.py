"""The audit log on both databases."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from bot.domain.audit import OPERATOR, AuditAct, first_broken
from bot.ports import Store
from storage.store import SqlStore
from tests.storage.things import NOW


async def test_people_stand_under_aliases(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.audit.add("U1", AuditAct.SWITCHED, NOW, "v2")
        await tx.audit.add(OPERATOR, AuditAct.EXPORTED, NOW, "abc", {"rows": 3})
        await tx.audit.add("U1", AuditAct.ROLLED_BACK, NOW + timedelta(microseconds=7), "v1")
        newest, people = await tx.audit.last(2), await tx.audit.people()
        every = await tx.audit.after(0, 10)
    assert [entry.seq for entry in newest] == [3, 2]
    assert every[1].who == OPERATOR
    assert people == {every[0].who: "U1"}
    assert "U1" not in "".join(entry.model_dump_json() for entry in every)
    assert first_broken(every) is None
    assert first_broken(every[1:], after=every[0]) is None


async def test_concurrent_entries_make_one_chain(store: Store) -> None:
    async def add(n: int) -> None:
        async with store.transaction() as tx:
            await tx.audit.add(f"U{n % 3}", AuditAct.REFUSED, NOW, "admin")

    await asyncio.gather(*[add(n) for n in range(12)])
    async with store.snapshot() as tx:
        every = await tx.audit.after(0, 100)
    assert [entry.seq for entry in every] == list(range(1, 13))
    assert first_broken(every) is None


async def run(store: SqlStore, statement: str) -> None:
    async with store._database.begin() as connection:
        await connection.execute(text(statement))
