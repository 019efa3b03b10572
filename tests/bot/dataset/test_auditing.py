"""Settlements in the audit log: counts by person, each once."""

from bot.dataset.auditing import COUNT_AFTER, Auditing
from bot.domain.audit import AuditAct
from storage.store import SqlStore
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import StepClock


async def test_settlements_are_counted_once_by_person(store: SqlStore, clock: StepClock) -> None:
    desk, auditing = CorrectionDesk(store, clock), Auditing(store, clock)
    await desk.ask()
    await desk.press("it", seen=0)
    await desk.press(None, seen=1)
    await desk.press("labor", seen=2, by="U3")
    await auditing.count()
    clock.advance(seconds=COUNT_AFTER.total_seconds() + 1)
    await auditing.count()
    await auditing.count()
    entries, people = await auditing.last(10)
    assert [(people[e.who], e.act, dict(e.facts)) for e in reversed(entries)] == [
        ("U2", AuditAct.SETTLED, {"agree": 1, "change": 1}),
        ("U3", AuditAct.SETTLED, {"agree": 1}),
    ]
    assert (await auditing.check()).broken is None
