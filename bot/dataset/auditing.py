"""The act that keeps the audit log: settlements in counts, exports, refusals, and failed look-ups of roles."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.audit import AuditAct, AuditCheckpoint, AuditEntry, first_broken
from bot.domain.dataset import Manifest
from bot.domain.release import SYSTEM
from bot.domain.thing import Thing
from bot.ports import Clock, Store

COUNTED = "audit.counted"
"""Name of the cursor up to which settlements are in the log."""
COUNT_AFTER = timedelta(minutes=5)
"""Age from which corrections are counted; until then, transactions that began earlier may still add some."""
PAGE = 1_000


class ChainCheck(Thing):
    """The result of a check of the whole log.

    Attributes:
        entries: How many entries were read.
        broken: The number of the first entry that does not follow from the one before; None if the chain holds.
        retired: How many older entries gave way to a signed checkpoint.
        head: The hash of the newest entry; keep it elsewhere to notice a log that was cut.
    """

    entries: int
    broken: int | None
    head: str
    retired: int = 0


def noted(checkpoint: AuditCheckpoint, entries: Sequence[AuditEntry]) -> bool:
    """Return whether the log itself says that its oldest entries gave way to this checkpoint."""
    return any(entry.act is AuditAct.RETIRED and entry.thing == checkpoint.hash for entry in entries)


class Auditing:
    """The audit log of what has no transaction of its own. Switches, trainings and prompts write their own entries."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def exported(self, who: str, manifest: Manifest) -> None:
        """Note an export; `who` is a person's id, or OPERATOR on the command line."""
        await self._note(who, AuditAct.EXPORTED, manifest.id[:12], {"rows": manifest.rows})

    async def refused(self, who: str, role: str) -> None:
        """Note that a person tried something that only this role may do."""
        await self._note(who, AuditAct.REFUSED, role)

    async def lookup_failed(self, thing: str, error: str) -> None:
        """Note that Slack did not tell who a person or the members of a group are, so that nobody had the role."""
        await self._note(SYSTEM, AuditAct.LOOKUP_FAILED, thing, {"error": error})

    async def count(self) -> None:
        """Write how much each person has settled since the last count. A periodic task of one replica calls this."""
        until = self._clock.now() - COUNT_AFTER
        async with self._store.transaction() as tx:
            counted = await tx.cursors.get(COUNTED)
            since = datetime.fromisoformat(counted) if counted else datetime.min.replace(tzinfo=UTC)
            if until <= since:
                return
            found = await tx.corrections.counted(since, until)
            await tx.cursors.move(COUNTED, until.isoformat(), self._clock.now())
            for who, kinds in sorted(found.items()):
                await tx.audit.add(who, AuditAct.SETTLED, self._clock.now(), "", kinds)

    async def last(self, most: int) -> tuple[list[AuditEntry], Mapping[str, str]]:
        """Return the newest entries, newest first, and alias → user id of the people that are still known."""
        async with self._store.snapshot() as tx:
            return await tx.audit.last(most), await tx.audit.people()

    async def entries(self) -> list[AuditEntry]:
        """Return the whole log, oldest first."""
        found: list[AuditEntry] = []
        async with self._store.snapshot() as tx:
            while page := await tx.audit.after(found[-1].seq if found else 0, PAGE):
                found += page
        return found

    async def check(self) -> ChainCheck:
        """Read the whole log, and check that no entry was changed, removed or inserted later."""
        return await self.checked(await self.entries())

    async def checked(self, entries: Sequence[AuditEntry]) -> ChainCheck:
        """Check a log that was read already, from the checkpoint before its oldest entry, if there is one."""
        async with self._store.snapshot() as tx:
            checkpoint, signed = await tx.audit.checkpoint()
        broken = first_broken(entries, checkpoint)
        if checkpoint and not (signed and noted(checkpoint, entries)):
            broken = checkpoint.seq
        head = entries[-1].hash if entries else ""
        return ChainCheck(
            entries=len(entries), broken=broken, head=head, retired=checkpoint.entries if checkpoint else 0
        )

    async def _note(
        self, who: str, act: AuditAct, thing: str = "", facts: Mapping[str, str | int] | None = None
    ) -> None:
        async with self._store.transaction() as tx:
            await tx.audit.add(who, act, self._clock.now(), thing, facts)
