"""The queue for one person: order, skips, what is no question, undo, and who may read what."""

from collections.abc import AsyncIterator

import pytest

from bot.corrections import focusing
from bot.corrections.focusing import Focus, Focusing
from bot.domain.dataset import IMPORTER, Row, Source
from bot.domain.errors import Reason, Refused
from bot.domain.mark import LastPress
from bot.domain.question import Question
from storage.store import SqlStore
from tests.bot.things import row
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.review_desk import ReviewDesk

STAFF, OTHER = "U2", "U3"


class FocusDesk(ReviewDesk):
    """A review desk, and the queue of single people."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        super().__init__(store, clock, RuleModel({"有給": "labor"}))
        self.focusing = Focusing(store, self.reviewing, self.correcting, self.neighbours, clock)

    async def focus(self, by: str = STAFF, without: str = "", first: str | None = None) -> Focus:
        async def may_read(asked: Question | Row) -> bool:
            return asked.id != without

        return await self.focusing.focus(by, may_read, first=first)

    async def key(self, by: str = STAFF) -> str | None:
        entry = (await self.focus(by)).entry
        return entry.key if entry else None


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FocusDesk]:
    monkeypatch.setattr(focusing, "ORDER_SECONDS", 30)  # a busy machine may need longer than a person should wait
    desk = FocusDesk(store, clock)
    yield desk
    await desk.focusing.stop()


async def test_settled_entry_makes_room_for_the_next(desk: FocusDesk) -> None:
    first, second = await desk.ask("有給は？", 0.2), await desk.ask("机が壊れた", 0.9)
    assert await desk.key() == first
    await desk.press(first, "labor")
    focus = await desk.focus()
    assert focus.entry is not None
    assert (focus.entry.key, focus.waiting, focus.run.done, focus.run.confirmed) == (second, 1, 1, 1)
    assert focus.run.last == LastPress(key=first, seq=1)
    desk.clock.advance(hours=2)
    assert (await desk.focus()).run.done == 0, "a long pause begins a new run"


async def test_skipped_entry_goes_to_the_persons_end(desk: FocusDesk) -> None:
    first, second = await desk.ask("有給は？", 0.2), await desk.ask("机が壊れた", 0.9)
    await desk.focusing.skip(first, STAFF)
    assert await desk.key() == second
    assert await desk.key(OTHER) == first
    await desk.focusing.skip(second, STAFF)
    focus = await desk.focus()
    assert (focus.entry, focus.waiting, focus.skipped, focus.run.done) == (None, 2, 2, 0)
    await desk.focusing.resume(STAFF)
    assert await desk.key() == first


async def test_no_question_leaves_the_queue_until_undone(desk: FocusDesk) -> None:
    asked = await desk.ask("テスト投稿です", 0.2)
    await desk.focusing.set_aside(asked, STAFF)
    focus = await desk.focus(OTHER)
    assert (focus.entry, focus.waiting) == (None, 0)
    assert await desk.queue() == []
    last = (await desk.focus()).run.last
    assert last == LastPress(key=asked)
    await desk.focusing.undo(last, STAFF)
    assert await desk.key(OTHER) == asked
    assert (await desk.focus()).run.last is None


async def test_settling_brings_a_set_aside_question_back(desk: FocusDesk) -> None:
    asked = await desk.ask("テスト投稿です", 0.2)
    await desk.focusing.set_aside(asked, STAFF)
    await desk.press(asked, "labor", OTHER)
    with pytest.raises(Refused) as refused:
        await desk.focusing.set_aside(asked, STAFF)
    assert refused.value.reason is Reason.SETTLED_MEANWHILE
    await desk.focusing.undo(LastPress(key=asked, seq=1), OTHER)
    assert await desk.key() == asked


async def test_undone_correction_is_shown_again_first(desk: FocusDesk) -> None:
    first = await desk.ask("机が壊れた", 0.9)
    await desk.ask("有給は？", 0.2)
    await desk.press(first, "labor")
    await desk.focusing.undo(LastPress(key=first, seq=1), STAFF)
    focus = await desk.focus(first=first)
    assert focus.entry is not None
    assert (focus.entry.key, focus.run.done, focus.run.last) == (first, 0, None)


async def test_unreadable_and_polite_entries_are_left_out(desk: FocusDesk) -> None:
    secret = await desk.ask("秘密の有給は？", 0.2)
    await desk.ask("ありがとうございます！", 0.2)
    assert (await desk.focus()).waiting == 1
    assert (await desk.focus(without=secret)).waiting == 0


async def disputed(desk: FocusDesk) -> tuple[str, str, str]:
    """Return the key of a conflict, and the ids of its two questions."""
    one, other = await desk.ask("引っ越しの休暇"), await desk.ask("引っ越しの休暇?")
    await desk.press(one, "labor", OTHER)
    await desk.press(other, "other", OTHER)
    entry = (await desk.focus()).entry
    assert entry is not None
    assert entry.rows
    return entry.key, one, other


async def categories(desk: FocusDesk) -> list[str]:
    async with desk.store.transaction() as tx:
        return sorted([row.category async for row in tx.rows.all()])


async def test_settled_conflict_is_one_press(desk: FocusDesk) -> None:
    key, one, _ = await disputed(desk)
    assert (await desk.focus(without=one)).waiting == 0
    await desk.reviewing.settle_conflict(key, "labor", STAFF)
    focus = await desk.focus()
    assert (focus.waiting, focus.run.done) == (0, 1)
    assert focus.run.last == LastPress(key=key, conflict=True)


async def test_settled_conflict_is_undone_with_one_press(desk: FocusDesk) -> None:
    key, _, other = await disputed(desk)
    desk.clock.advance(minutes=1)
    await desk.reviewing.settle_conflict(key, "labor", STAFF)
    assert await categories(desk) == ["labor", "labor"]
    last = (await desk.focus()).run.last
    assert last is not None
    with pytest.raises(Refused):
        await desk.focusing.undo(last, OTHER)
    desk.clock.advance(minutes=1)
    await desk.focusing.undo(last, STAFF)
    focus = await desk.focus(first=key)
    assert focus.entry is not None
    assert (focus.entry.key, focus.run.done, focus.run.last) == (key, 0, None)
    assert await categories(desk) == ["labor", "other"]
    async with desk.store.transaction() as tx:
        assert [one.category for one in await tx.corrections.of(other)] == ["other", "labor", "other"]
    with pytest.raises(Refused) as again:
        await desk.focusing.undo(last, STAFF)
    assert again.value.reason is Reason.NOTHING_TO_UNDO


async def test_conflict_changed_since_keeps_the_newer_press(desk: FocusDesk) -> None:
    key, _, other = await disputed(desk)
    desk.clock.advance(minutes=1)
    await desk.reviewing.settle_conflict(key, "labor", STAFF)
    desk.clock.advance(minutes=1)
    await desk.press(other, "it", OTHER)
    with pytest.raises(Refused) as refused:
        await desk.focusing.undo(LastPress(key=key, conflict=True), STAFF)
    assert refused.value.reason is Reason.SETTLED_MEANWHILE
    assert await categories(desk) == ["it", "labor"]


async def test_imported_rows_of_a_conflict_return(desk: FocusDesk) -> None:
    imported = [row("引っ越しの休暇", "labor", row_id="i1"), row("引っ越しの休暇?", "other", row_id="i2")]
    async with desk.store.transaction() as tx:
        from_file = {"source": Source.IMPORT, "by": IMPORTER, "reason": "It came with the file."}
        await tx.rows.put(*(one.model_copy(update=from_file) for one in imported))
    entry = (await desk.focus()).entry
    assert entry is not None
    desk.clock.advance(minutes=1)
    await desk.reviewing.settle_conflict(entry.key, "labor", STAFF)
    assert await categories(desk) == ["labor", "labor"]
    desk.clock.advance(minutes=1)
    await desk.focusing.undo(LastPress(key=entry.key, conflict=True), STAFF)
    async with desk.store.transaction() as tx:
        back = await tx.rows.get("i2")
    assert back is not None
    assert (back.category, back.source, back.reason, back.by) == ("other", Source.IMPORT, from_file["reason"], IMPORTER)
    assert (await desk.focus()).waiting == 1
