"""The chain of the audit log."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.audit import AuditAct, AuditEntry, first_broken


def chain(length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for seq in range(1, length + 1):
        entry = AuditEntry(
            seq=seq,
            at=datetime(2026, 11, 30, 9, 0, seq, tzinfo=UTC),
            who=f"person-{seq % 2}",
            act=AuditAct.SETTLED,
            thing="",
            facts={"agree": seq},
            before=entries[-1].hash if entries else "",
        )
        entries.append(entry.sealed())
    return entries


@given(st.integers(2, 8), st.data())
def test_any_change_within_breaks_the_chain(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    assert first_broken(entries) is None
    at = data.draw(st.integers(0, length - 2))
    change: dict[str, Any] = data.draw(
        st.sampled_from([{"who": "person-9"}, {"facts": {"agree": 0}}, {"act": AuditAct.SWITCHED}, {"thing": "v1"}])
    )
    resealed = data.draw(st.booleans())
    changed = entries[at].model_copy(update=change)
    entries[at] = changed.sealed() if resealed else changed
    assert first_broken(entries) == at + (2 if resealed else 1)


def test_missing_or_doubled_entry_breaks_the_chain() -> None:
    entries = chain(4)
    assert first_broken([entries[0], *entries[2:]]) == 2
    assert first_broken([*entries[:2], *entries[1:]]) == 3
    assert first_broken(entries[1:]) == 1
