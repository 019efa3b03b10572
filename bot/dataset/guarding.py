"""The act that lets an admin look at what is set aside: one person's rows are kept or left out together."""

from bot.domain.audit import AuditAct
from bot.domain.shares import Look, SetAside, aside_of, suspects
from bot.ports import Clock, Store, Transaction


async def read_aside(tx: Transaction, total: int) -> SetAside:
    """Return what `set_aside` finds, from counts by person and day. Only the rows of its suspects are read.

    Args:
        tx: A transaction.
        total: The number of all rows.
    """
    days = await tx.rows.settled_days()
    own = {person: await tx.rows.settlements(person) for person in suspects(total, days)}
    return aside_of(total, days, own, await tx.rows.left_out())


class Guarding:
    """The rows that are set aside, and admins' decisions about them.

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
            return await read_aside(tx, await _total(tx))

    async def decide(self, person: str, by: str, *, keep: bool) -> int:
        """Keep what is set aside of a person, or leave it out of trainings and comparisons; return the number of rows.

        What this person settles later is looked at anew.
        """
        now = self._clock.now()
        async with self._store.transaction() as tx:
            waiting = (await read_aside(tx, await _total(tx))).waiting if self._on else {}
            looks = [
                Look(row_id=row.id, settled_at=row.settled_at, keep=keep, by=by, at=now)
                for row in (await tx.rows.settlements(person) if waiting else ())
                if row.id in waiting
            ]
            await tx.looks.put(looks)
            if looks:
                act = AuditAct.ASIDE_KEPT if keep else AuditAct.ASIDE_LEFT_OUT
                await tx.audit.add(by, act, now, await tx.audit.alias(person), {"rows": len(looks)})
        return len(looks)


async def _total(tx: Transaction) -> int:
    return sum((await tx.rows.counts()).values())
