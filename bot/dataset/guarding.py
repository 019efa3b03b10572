"""The act that lets an admin look at what is set aside: one person's rows are kept or left out together."""

from bot.domain.audit import AuditAct
from bot.domain.shares import Look, SetAside, set_aside
from bot.ports import Clock, Store


class Guarding:
    """Shows and decides what is set aside.

    Args:
        store: The rows.
        clock: The time.
        on: Whether anything is set aside at all; not in the practice workspace.
    """

    def __init__(self, store: Store, clock: Clock, *, on: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._on = on

    async def look(self) -> SetAside:
        """Return what is set aside now."""
        if not self._on:
            return SetAside()
        async with self._store.snapshot() as tx:
            return set_aside([row async for row in tx.rows.all()], await tx.looks.all())

    async def decide(self, person: str, by: str, *, keep: bool) -> int:
        """Keep what is set aside of a person, or leave it out of trainings and comparisons; return the number of rows.

        What this person settles later is looked at anew.
        """
        now = self._clock.now()
        async with self._store.transaction() as tx:
            rows = [row async for row in tx.rows.all()]
            waiting = set_aside(rows, await tx.looks.all()).waiting if self._on else {}
            looks = [
                Look(row_id=row.id, settled_at=row.settled_at, keep=keep, by=by, at=now)
                for row in rows
                if row.id in waiting and row.by == person
            ]
            await tx.looks.put(looks)
            if looks:
                act = AuditAct.ASIDE_KEPT if keep else AuditAct.ASIDE_LEFT_OUT
                await tx.audit.add(by, act, now, await tx.audit.alias(person), {"rows": len(looks)})
        return len(looks)
