"""Corrections at the tracker: applied once, only from permitted people, and never over a newer one from Slack."""

import uuid
from datetime import timedelta

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import TRACKER_PERSON_PREFIX, Correction, CorrectionKind, Press
from bot.domain.dataset import Row, Source
from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.mirror import Annotation, Edit
from bot.domain.mirrored import MIRROR_TOPIC
from bot.domain.question import Question
from bot.mirror.inbound import ANYBODY, MirrorInbound
from bot.mirror.status import mirror_state
from tests.bot.things import row
from tests.kits.fakes import MemoryNeighbours
from tests.kits.mirror_desk import WAIT, MirrorDesk


def inbound_of(mirror: MirrorDesk, *staff: str) -> MirrorInbound:
    correcting = Correcting(mirror.store, MemoryNeighbours(), mirror.clock)
    return MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, staff or ("alice",))


def edit_row(
    mirror: MirrorDesk, row_id: str, category: str | None, reason: str | None = None, by: str | None = "alice"
) -> Edit:
    mirror.clock.advance(seconds=1)
    edit = Edit(row_id=row_id, category=category, reason=reason, by=by, at=mirror.clock.now())
    mirror.tracker.waiting_edits.append(edit)
    mirror.clock.advance(seconds=1)
    return edit


async def ask_and_settle(mirror: MirrorDesk, category: str = "labor") -> Question:
    question, _ = await mirror.ask()
    await mirror.press(question, category)
    await mirror.mirror_all()
    return question


async def corrections_of(mirror: MirrorDesk, question: Question) -> list[Correction]:
    async with mirror.store.transaction() as tx:
        return await tx.corrections.of(question.id)


async def stored_row(mirror: MirrorDesk, row_id: str) -> Row | None:
    async with mirror.store.transaction() as tx:
        return await tx.rows.get(row_id)


async def unapplied(mirror: MirrorDesk) -> int:
    async with mirror.store.transaction() as tx:
        return (await mirror_state(tx, mirror.clock.now())).untaken


async def test_edit_becomes_correction_once_with_its_author(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, "情シス", "PCの話だから alice@example.com")
    assert await inbound_of(mirror).receive() == 1
    newest = (await corrections_of(mirror, question))[-1]
    assert (newest.kind, newest.category, newest.by) == (CorrectionKind.CHANGE, "it", "langsmith:alice")
    kept_row = await stored_row(mirror, question.id)
    assert kept_row
    assert kept_row.reason
    assert kept_row.reason.startswith("PCの話だから")
    assert "@" not in kept_row.reason
    await mirror.mirror_all()
    assert mirror.tracker.rows[question.id].category == "情シス"
    # A tracker that reports the same edit forever causes no new correction.
    mirror.tracker.waiting_edits.append(
        edit_row(mirror, question.id, "情シス", mirror.tracker.rows[question.id].reason, by=None)
    )
    assert await inbound_of(mirror).receive() == 0
    assert len(await corrections_of(mirror, question)) == 2
    assert await unapplied(mirror) == 0


async def test_new_category_drops_the_old_reason(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    before = mirror.tracker.rows[question.id].reason
    edit_row(mirror, question.id, "情シス", before)
    await inbound_of(mirror).receive()
    kept_row = await stored_row(mirror, question.id)
    assert kept_row
    assert (kept_row.category, kept_row.reason) == ("it", None)


async def test_newer_correction_from_slack_stays_and_is_resent(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, "その他")
    await mirror.press(question, "it", seen=1, by="U3")
    await mirror.mirror_all()
    assert await inbound_of(mirror).receive() == 0
    assert [one.category for one in await corrections_of(mirror, question)] == ["labor", "it"]
    async with mirror.store.transaction() as tx:
        assert [note.key for note in await tx.outbox.page(MIRROR_TOPIC, 0, 10)] == [question.id]
    assert await unapplied(mirror) == 0


class OvertakenCorrecting(Correcting):
    """An act in which somebody in Slack settles a moment earlier."""

    async def settle(self, press: Press) -> Card:
        if press.by.startswith(TRACKER_PERSON_PREFIX):
            await super().settle(press.model_copy(update={"category": "other", "by": "U9"}))
        return await super().settle(press)


async def test_concurrent_press_is_not_overwritten(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, "情シス")
    correcting = OvertakenCorrecting(mirror.store, MemoryNeighbours(), mirror.clock)
    assert await MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, [ANYBODY]).receive() == 0
    assert [one.category for one in await corrections_of(mirror, question)] == ["labor", "other"]
    await mirror.mirror_all()
    assert mirror.tracker.rows[question.id].category == "その他"
    assert await unapplied(mirror) == 0


@pytest.mark.parametrize("by", ["mallory", None])
async def test_edit_by_unlisted_person_changes_nothing(mirror: MirrorDesk, by: str | None) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, "情シス", by=by)
    assert await inbound_of(mirror).receive() == 0
    assert len(await corrections_of(mirror, question)) == 1
    assert await unapplied(mirror) == 1
    assert await inbound_of(mirror).receive() == 0
    assert await unapplied(mirror) == 1


async def test_empty_staff_means_nobody_and_star_everybody(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, "情シス", by=None)
    correcting = Correcting(mirror.store, MemoryNeighbours(), mirror.clock)
    assert await MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, []).receive() == 0
    edit_row(mirror, question.id, "情シス", by=None)
    assert await inbound_of(mirror, ANYBODY).receive() == 1
    assert (await corrections_of(mirror, question))[-1].by == "langsmith:"


@pytest.mark.parametrize("category", ["nonsense", "", None])
async def test_unknown_category_is_counted_not_applied(mirror: MirrorDesk, category: str | None) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, category)
    assert await inbound_of(mirror).receive() == 0
    assert await unapplied(mirror) == 1


async def test_imported_row_is_settled_without_a_question(mirror: MirrorDesk) -> None:
    imported = row("有給は？", row_id="import:1").model_copy(update={"source": Source.IMPORT, "by": "import"})
    async with mirror.store.transaction() as tx:
        await tx.rows.put(imported)
    await mirror.mirror_all()
    edit_row(mirror, "import:1", "情シス")
    assert await inbound_of(mirror).receive() == 1
    new = await stored_row(mirror, "import:1")
    assert new
    assert (new.category, new.by, new.source, new.split) == ("it", "langsmith:alice", Source.CHANGE, imported.split)
    await mirror.mirror_all()
    assert mirror.tracker.rows["import:1"].category == "情シス"


async def test_edit_does_not_restore_a_withdrawn_row(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    await Correcting(mirror.store, MemoryNeighbours(), mirror.clock).undo(question.id, 1, "U2")
    mirror.tracker.waiting_edits.append(
        Edit(row_id=question.id, category="情シス", reason=None, by="alice", at=mirror.clock.now())
    )
    assert await inbound_of(mirror).receive() == 0
    assert await stored_row(mirror, question.id) is None


async def test_annotation_on_trace_settles_its_question(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.ask()
    await mirror.mirror_all()
    mirror.clock.advance(seconds=1)
    annotation = Annotation(
        id=uuid.uuid4(), trace_id=verdict.trace, category="it", comment="PC", by="alice", at=mirror.clock.now()
    )
    other = annotation.model_copy(update={"id": uuid.uuid4(), "trace_id": uuid.uuid4()})
    mirror.tracker.waiting_annotations = [other, annotation]
    mirror.clock.advance(seconds=1)
    assert await inbound_of(mirror).receive() == 1
    assert await inbound_of(mirror).receive() == 0
    (correction,) = await corrections_of(mirror, question)
    assert (correction.category, correction.by, correction.reason) == ("it", "langsmith:alice", "PC")
    await mirror.mirror_all()
    assert mirror.tracker.rows[question.id].category == "情シス"
    assert await unapplied(mirror) == 0


async def test_unapplied_annotation_is_counted_once(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.ask()
    mirror.clock.advance(seconds=1)
    annotation = Annotation(
        id=uuid.uuid4(), trace_id=verdict.trace, category="it", comment=None, by="mallory", at=mirror.clock.now()
    )
    mirror.tracker.waiting_annotations = [annotation]
    for _ in range(3):
        assert await inbound_of(mirror).receive() == 0
    assert await unapplied(mirror) == 1
    # An annotation that appears later with the same time is not skipped.
    mirror.tracker.waiting_annotations.append(annotation.model_copy(update={"id": uuid.uuid4(), "by": "alice"}))
    assert await inbound_of(mirror).receive() == 1
    assert await unapplied(mirror) == 1
    assert [one.by for one in await corrections_of(mirror, question)] == ["langsmith:alice"]


async def test_deleted_dataset_is_noticed_with_nothing_to_send(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    mirror.tracker.delete_dataset()
    assert await inbound_of(mirror).receive() == 0
    assert await mirror.trouble() == "dataset_gone"
    assert not (await mirror.state()).filled
    await mirror.mirror_all()
    assert mirror.tracker.rows.keys() == {question.id}
    assert await mirror.trouble() is None
    assert await inbound_of(mirror).receive() == 0
    assert await mirror.trouble() is None


async def test_revoked_key_is_reported_with_nothing_to_send(mirror: MirrorDesk) -> None:
    await ask_and_settle(mirror)
    mirror.tracker.fail(2, TrackerRefused(TrackerReason.WRONG_KEY, "401"))
    assert await inbound_of(mirror).receive() == 0
    await mirror.mirror_all()
    assert await mirror.trouble() == "wrong_key"
    mirror.clock.advance(seconds=WAIT)
    await mirror.mirror_all()
    assert await mirror.trouble() is None


async def test_edits_are_read_after_a_failure(mirror: MirrorDesk) -> None:
    question = await ask_and_settle(mirror)
    edit_row(mirror, question.id, "情シス")
    mirror.tracker.fail(1, TrackerDown("503", timedelta(seconds=1)))
    assert await inbound_of(mirror).receive() == 0
    mirror.clock.advance(seconds=WAIT)
    assert await inbound_of(mirror).receive() == 1
