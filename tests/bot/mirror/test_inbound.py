"""What people corrected at the tracker: taken over once, by those who may, and never over a newer word from Slack."""

import uuid
from datetime import timedelta

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.card import Card
from bot.domain.correction import ELSEWHERE, Correction, CorrectionKind, Press
from bot.domain.dataset import Row, Source
from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.mirror import Annotation, Edit
from bot.domain.mirrored import MIRROR_TOPIC
from bot.domain.question import Question
from bot.mirror.inbound import ANYBODY, MirrorInbound
from bot.mirror.status import mirror_state
from tests.bot.things import row
from tests.kits.fakes import KeptNeighbours
from tests.kits.mirror_desk import WAIT, MirrorDesk


def receiving(mirror: MirrorDesk, *staff: str) -> MirrorInbound:
    correcting = Correcting(mirror.store, KeptNeighbours(), mirror.clock)
    return MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, staff or ("alice",))


def edited(
    mirror: MirrorDesk, row_id: str, category: str | None, reason: str | None = None, by: str | None = "alice"
) -> Edit:
    mirror.clock.advance(seconds=1)
    edit = Edit(row_id=row_id, category=category, reason=reason, by=by, at=mirror.clock.now())
    mirror.tracker.waiting_edits.append(edit)
    mirror.clock.advance(seconds=1)
    return edit


async def settled(mirror: MirrorDesk, category: str = "labor") -> Question:
    question, _ = await mirror.asked()
    await mirror.pressed(question, category)
    await mirror.rounds()
    return question


async def said_of(mirror: MirrorDesk, question: Question) -> list[Correction]:
    async with mirror.store.transaction() as tx:
        return await tx.corrections.of(question.id)


async def kept(mirror: MirrorDesk, row_id: str) -> Row | None:
    async with mirror.store.transaction() as tx:
        return await tx.rows.get(row_id)


async def not_taken(mirror: MirrorDesk) -> int:
    async with mirror.store.transaction() as tx:
        return (await mirror_state(tx, mirror.clock.now())).untaken


async def test_an_edit_is_a_correction_with_its_author_and_does_not_echo(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, "情シス", "PCの話だから alice@example.com")
    assert await receiving(mirror).receive() == 1
    newest = (await said_of(mirror, question))[-1]
    assert (newest.kind, newest.category, newest.by) == (CorrectionKind.CHANGE, "it", "langsmith:alice")
    kept_row = await kept(mirror, question.id)
    assert kept_row
    assert kept_row.reason
    assert kept_row.reason.startswith("PCの話だから")
    assert "@" not in kept_row.reason
    await mirror.rounds()
    assert mirror.tracker.rows[question.id].category == "情シス"
    # Even a tracker that tells of the same edit for ever makes nothing new.
    mirror.tracker.waiting_edits.append(
        edited(mirror, question.id, "情シス", mirror.tracker.rows[question.id].reason, by=None)
    )
    assert await receiving(mirror).receive() == 0
    assert len(await said_of(mirror, question)) == 2
    assert await not_taken(mirror) == 0


async def test_the_old_reason_is_not_taken_over_with_a_new_category(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    before = mirror.tracker.rows[question.id].reason
    edited(mirror, question.id, "情シス", before)
    await receiving(mirror).receive()
    kept_row = await kept(mirror, question.id)
    assert kept_row
    assert (kept_row.category, kept_row.reason) == ("it", None)


async def test_a_newer_word_from_slack_stays_and_is_shown_again(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, "その他")
    await mirror.pressed(question, "it", seen=1, by="U3")
    await mirror.rounds()
    assert await receiving(mirror).receive() == 0
    assert [one.category for one in await said_of(mirror, question)] == ["labor", "it"]
    async with mirror.store.transaction() as tx:
        assert [note.key for note in await tx.outbox.page(MIRROR_TOPIC, 0, 10)] == [question.id]
    assert await not_taken(mirror) == 0


class Overtaken(Correcting):
    """Somebody in Slack is faster, by a moment."""

    async def settle(self, press: Press) -> Card:
        if press.by.startswith(ELSEWHERE):
            await super().settle(press.model_copy(update={"category": "other", "by": "U9"}))
        return await super().settle(press)


async def test_a_press_at_the_very_last_moment_is_not_overwritten(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, "情シス")
    correcting = Overtaken(mirror.store, KeptNeighbours(), mirror.clock)
    assert await MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, [ANYBODY]).receive() == 0
    assert [one.category for one in await said_of(mirror, question)] == ["labor", "other"]
    await mirror.rounds()
    assert mirror.tracker.rows[question.id].category == "その他"
    assert await not_taken(mirror) == 0


@pytest.mark.parametrize("by", ["mallory", None])
async def test_who_may_not_correct_changes_nothing(mirror: MirrorDesk, by: str | None) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, "情シス", by=by)
    assert await receiving(mirror).receive() == 0
    assert len(await said_of(mirror, question)) == 1
    assert await not_taken(mirror) == 1
    assert await receiving(mirror).receive() == 0
    assert await not_taken(mirror) == 1


async def test_nobody_may_where_nobody_is_named_and_everybody_where_all_are(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, "情シス", by=None)
    correcting = Correcting(mirror.store, KeptNeighbours(), mirror.clock)
    assert await MirrorInbound(mirror.store, mirror.tracker, correcting, mirror.clock, []).receive() == 0
    edited(mirror, question.id, "情シス", by=None)
    assert await receiving(mirror, ANYBODY).receive() == 1
    assert (await said_of(mirror, question))[-1].by == "langsmith:"


@pytest.mark.parametrize("category", ["nonsense", "", None])
async def test_an_unknown_category_is_counted_and_not_taken(mirror: MirrorDesk, category: str | None) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, category)
    assert await receiving(mirror).receive() == 0
    assert await not_taken(mirror) == 1


async def test_an_imported_row_is_settled_without_a_question(mirror: MirrorDesk) -> None:
    imported = row("有給は？", row_id="import:1").model_copy(update={"source": Source.IMPORT, "by": "import"})
    async with mirror.store.transaction() as tx:
        await tx.rows.put(imported)
    await mirror.rounds()
    edited(mirror, "import:1", "情シス")
    assert await receiving(mirror).receive() == 1
    new = await kept(mirror, "import:1")
    assert new
    assert (new.category, new.by, new.source, new.split) == ("it", "langsmith:alice", Source.CHANGE, imported.split)
    await mirror.rounds()
    assert mirror.tracker.rows["import:1"].category == "情シス"


async def test_a_row_that_is_gone_stays_gone(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    await Correcting(mirror.store, KeptNeighbours(), mirror.clock).undo(question.id, 1, "U2")
    mirror.tracker.waiting_edits.append(
        Edit(row_id=question.id, category="情シス", reason=None, by="alice", at=mirror.clock.now())
    )
    assert await receiving(mirror).receive() == 0
    assert await kept(mirror, question.id) is None


async def test_an_annotation_on_a_trace_settles_its_question(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.asked()
    await mirror.rounds()
    mirror.clock.advance(seconds=1)
    said = Annotation(
        id=uuid.uuid4(), trace_id=verdict.trace, category="it", comment="PC", by="alice", at=mirror.clock.now()
    )
    other = said.model_copy(update={"id": uuid.uuid4(), "trace_id": uuid.uuid4()})
    mirror.tracker.waiting_annotations = [other, said]
    mirror.clock.advance(seconds=1)
    assert await receiving(mirror).receive() == 1
    assert await receiving(mirror).receive() == 0
    (correction,) = await said_of(mirror, question)
    assert (correction.category, correction.by, correction.reason) == ("it", "langsmith:alice", "PC")
    await mirror.rounds()
    assert mirror.tracker.rows[question.id].category == "情シス"
    assert await not_taken(mirror) == 0


async def test_an_annotation_that_is_not_taken_over_is_counted_once(mirror: MirrorDesk) -> None:
    question, verdict = await mirror.asked()
    mirror.clock.advance(seconds=1)
    said = Annotation(
        id=uuid.uuid4(), trace_id=verdict.trace, category="it", comment=None, by="mallory", at=mirror.clock.now()
    )
    mirror.tracker.waiting_annotations = [said]
    for _ in range(3):
        assert await receiving(mirror).receive() == 0
    assert await not_taken(mirror) == 1
    # Another one of the very same moment that shows up later is not passed over.
    mirror.tracker.waiting_annotations.append(said.model_copy(update={"id": uuid.uuid4(), "by": "alice"}))
    assert await receiving(mirror).receive() == 1
    assert await not_taken(mirror) == 1
    assert [one.by for one in await said_of(mirror, question)] == ["langsmith:alice"]


async def test_a_dataset_that_is_gone_is_noticed_though_nothing_waits_to_be_told(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    mirror.tracker.delete_dataset()
    assert await receiving(mirror).receive() == 0
    assert await mirror.trouble() == "dataset_gone"
    assert not (await mirror.state()).filled
    await mirror.rounds()
    assert mirror.tracker.rows.keys() == {question.id}
    assert await mirror.trouble() is None
    assert await receiving(mirror).receive() == 0
    assert await mirror.trouble() is None


async def test_a_key_that_is_withdrawn_is_told_though_nothing_waits_to_be_told(mirror: MirrorDesk) -> None:
    await settled(mirror)
    mirror.tracker.fail(2, TrackerRefused(TrackerReason.WRONG_KEY, "401"))
    assert await receiving(mirror).receive() == 0
    await mirror.rounds()
    assert await mirror.trouble() == "wrong_key"
    mirror.clock.advance(seconds=WAIT)
    await mirror.rounds()
    assert await mirror.trouble() is None


async def test_trouble_is_waited_for_and_nothing_is_skipped(mirror: MirrorDesk) -> None:
    question = await settled(mirror)
    edited(mirror, question.id, "情シス")
    mirror.tracker.fail(1, TrackerDown("503", timedelta(seconds=1)))
    assert await receiving(mirror).receive() == 0
    mirror.clock.advance(seconds=WAIT)
    assert await receiving(mirror).receive() == 1
