"""Corrections by one or more people, in any order."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bot.domain.card import Card
from bot.domain.correction import CorrectionKind, Press, settlement
from bot.domain.dataset import Row, Source
from bot.domain.errors import Reason, Refused
from bot.questions.delivering import Delivering
from bot.releases.releasing import Releasing
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, CATEGORIES, PROMPT
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import StepClock
from tests.kits.fakes_acts import FakeAnnouncer
from tests.kits.plain_export import export


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock) -> CorrectionDesk:
    desk = CorrectionDesk(store, clock)
    await desk.ask()
    return desk


def answer_of(row: Row) -> dict[str, str]:
    """Return the answer to this row in a training file."""
    data = export([row], PROMPT).data or export([row.model_copy(update={"split": "train"})], PROMPT).data
    answer: dict[str, str] = json.loads(json.loads(data)["messages"][2]["content"])
    return answer


async def test_agreement_makes_a_row_with_the_verdicts_reason(desk: CorrectionDesk) -> None:
    card = await desk.press(None, seen=0)
    (correction,) = await desk.corrections()
    row = await desk.row()
    assert row is not None
    assert card.settled == correction
    assert (card.seen, correction.kind, correction.category, correction.by) == (1, CorrectionKind.AGREE, "labor", "U2")
    assert (row.category, row.reason, row.source) == ("labor", card.verdict.reason, Source.AGREE)
    assert (row.by, row.channel, row.ts, row.settled_at) == ("U2", "C1", "1.000100", correction.at)
    assert await desk.open_deliveries() == 1


async def test_changed_category_drops_the_verdicts_reason(desk: CorrectionDesk) -> None:
    card = await desk.press("it", seen=0)
    row = await desk.row()
    assert row is not None
    assert (row.category, row.reason, row.source) == ("it", None, Source.CHANGE)
    assert answer_of(row) == {"reason": "情シスに関する質問です。", "category": "情シス"}
    assert card.verdict.reason not in answer_of(row)["reason"]


async def test_staffs_reason_is_stored_masked(desk: CorrectionDesk) -> None:
    await desk.press("it", seen=0, reason="PC の話。taro@example.com に確認")
    row = await desk.row()
    assert row is not None
    assert row.reason == "PC の話。[mail] に確認"
    assert (await desk.corrections())[0].reason == row.reason


async def test_reason_is_kept_only_for_the_same_category(desk: CorrectionDesk) -> None:
    await desk.press("it", seen=0, reason="PC の話")
    await desk.press("it", seen=1, by="U3")
    await desk.press("it", seen=2, by="U4")
    row = await desk.row()
    assert row is not None
    assert (row.reason, row.by) == ("PC の話", "U4")
    await desk.press("other", seen=3)
    row = await desk.row()
    assert row is not None
    assert row.reason is None


async def hand_to_worker(desk: CorrectionDesk) -> tuple[Delivering, FakeAnnouncer]:
    """Return a waiting worker that takes the updates of cards, and what it shows."""
    board = FakeAnnouncer()
    board.cards[desk.question] = [await desk.correcting.card(desk.question)]
    delivering = Delivering(desk.store, board, desk.clock)
    delivering.waiting_workers = lambda: 1
    desk.correcting.deliverers = delivering
    return delivering, board


async def test_waiting_worker_shows_the_pressed_card(desk: CorrectionDesk) -> None:
    """It neither looks for the entry nor reads the card, and shows what a reader would."""
    delivering, board = await hand_to_worker(desk)
    await desk.press(None, seen=0)
    assert not await Delivering(desk.store, board, desk.clock).deliver_next(), "nobody else may claim it"
    await delivering.deliver_next()
    assert board.cards[desk.question][-1] == await desk.correcting.card(desk.question)
    assert board.cards[desk.question][-1].settled
    assert await desk.open_deliveries() == 0


async def test_second_press_waits_for_the_first_update(desk: CorrectionDesk) -> None:
    delivering, board = await hand_to_worker(desk)
    await desk.press(None, seen=0)
    await desk.press("it", seen=1)
    while await desk.open_deliveries():
        await delivering.deliver_next()
    assert board.cards[desk.question][-1] == await desk.correcting.card(desk.question)
    assert [one.category for one in (board.cards[desk.question][-1].settled,) if one] == ["it"]


async def test_handed_update_that_waited_is_read_anew(desk: CorrectionDesk) -> None:
    """Another worker may have shown it and a later one, if this worker's process stood still for a minute."""
    delivering, board = await hand_to_worker(desk)
    await desk.press(None, seen=0)
    desk.clock.advance(seconds=61)
    other = Delivering(desk.store, board, desk.clock)
    assert await other.deliver_next()
    await desk.press("it", seen=1)
    assert await other.deliver_next()
    shown = board.cards[desk.question][-1]
    await delivering.deliver_next()
    assert board.cards[desk.question][-1] == shown


async def test_refused_press_hands_over_nothing(desk: CorrectionDesk) -> None:
    delivering, _ = await hand_to_worker(desk)
    with pytest.raises(Refused):
        await desk.press("nonsense", seen=0)
    assert not await delivering.deliver_next()
    assert await desk.open_deliveries() == 0


async def test_repeated_press_is_one_correction(desk: CorrectionDesk) -> None:
    first = await desk.press("it", seen=0)
    assert await desk.press("it", seen=0) == first
    assert len(await desk.corrections()) == 1
    assert await desk.open_deliveries() == 1


async def test_second_press_is_told_who_was_first(desk: CorrectionDesk) -> None:
    await desk.press("it", seen=0, by="U2")
    with pytest.raises(Refused) as refused:
        await desk.press("other", seen=0, by="U3")
    card = refused.value.facts["card"]
    assert refused.value.reason is Reason.SETTLED_MEANWHILE
    assert isinstance(card, Card)
    assert card.settled is not None
    assert (card.settled.by, card.settled.category) == ("U2", "it")
    changed = await desk.press("other", seen=card.seen, by="U3")
    assert changed.settled is not None
    assert (changed.settled.by, changed.settled.seq) == ("U3", 2)


async def test_concurrent_presses_are_one_correction(desk: CorrectionDesk) -> None:
    presses = [desk.press("it", seen=0, by="U2"), desk.press("other", seen=0, by="U3")]
    results = await asyncio.gather(*presses, return_exceptions=True)
    assert sum(isinstance(result, Refused) for result in results) == 1
    assert len(await desk.corrections()) == 1


async def test_presses_at_once_share_transactions(desk: CorrectionDesk, begun: list[None]) -> None:
    await desk.press("it", seen=0)  # reads all rows once
    questions = [await desk.ask(f"有給の相談 {n}", n) for n in range(2, 8)]
    begun.clear()
    presses = [Press(question_id=one, category="it", seen=0, by="U2") for one in questions]
    results = await asyncio.gather(*map(desk.correcting.settle, presses))
    assert [card.settled and card.settled.category for card in results] == ["it"] * 6
    assert len(begun) == 2, "one to read and one to write"


async def test_refusal_undoes_no_press_beside_it(desk: CorrectionDesk) -> None:
    questions = [desk.question, *[await desk.ask(f"有給の相談 {n}", n) for n in range(2, 6)]]
    presses = [Press(question_id=one, category="it", seen=0, by="U2") for one in questions]
    presses[2] = presses[2].model_copy(update={"seen": 7})
    results = await asyncio.gather(*map(desk.correcting.settle, presses), return_exceptions=True)
    assert [type(one) for one in results] == [Card, Card, Refused, Card, Card]
    async with desk.store.transaction() as tx:
        settled = [[one.seq for one in await tx.corrections.of(question)] for question in questions]
        assert [await tx.rows.get(question) is not None for question in questions] == [True, True, False, True, True]
    assert settled == [[1], [1], [], [1], [1]]
    assert await desk.open_deliveries() == 4


async def test_imported_row_of_the_question_keeps_its_group(desk: CorrectionDesk) -> None:
    await desk.press("it", seen=0)
    row = await desk.row()
    assert row
    other = await desk.ask("健康診断はいつですか", 2)
    imported = row.model_copy(update={"id": other, "text": "健康診断はいつですか", "group": "theirs"})
    async with desk.store.transaction() as tx:
        await tx.rows.put(imported.model_copy(update={"source": Source.IMPORT}))
    await desk.press("it", seen=0)
    settled = await desk.row()
    assert settled
    assert (settled.group, settled.source) == ("theirs", Source.CHANGE)


async def test_undo_withdraws_the_row(desk: CorrectionDesk) -> None:
    await desk.press("it", seen=0)
    card = await desk.correcting.undo(desk.question, 1, "U3")
    assert (card.settled, card.seen, await desk.row()) == (None, 2, None)
    assert (await desk.corrections())[-1].kind is CorrectionKind.UNDO
    assert await desk.correcting.card(desk.question) == card
    with pytest.raises(Refused) as refused:
        await desk.correcting.undo(desk.question, 2, "U3")
    assert refused.value.reason is Reason.NOTHING_TO_UNDO


async def test_unknown_question_or_category_is_refused(desk: CorrectionDesk) -> None:
    for press, reason in (
        (Press(question_id="nobody", category="it", seen=0, by="U2"), Reason.UNKNOWN_QUESTION),
        (Press(question_id=desk.question, category="sales", seen=0, by="U2"), Reason.UNKNOWN_CATEGORY),
    ):
        with pytest.raises(Refused) as refused:
            await desk.correcting.settle(press)
        assert refused.value.reason is reason
    for verb in (desk.correcting.undo("nobody", 0, "U2"), desk.correcting.card("nobody")):
        with pytest.raises(Refused) as refused:
            await verb
        assert refused.value.reason is Reason.UNKNOWN_QUESTION
    assert (await desk.corrections(), await desk.row(), await desk.open_deliveries()) == ([], None, 0)


class Staff(RuleBasedStateMachine):
    """Two people who press on the card that each of them saw last, which may be outdated."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = Database(fresh())
        self.clock = StepClock()
        self.desk = CorrectionDesk(SqlStore(self.database), self.clock)
        self.run(self._open())
        self.expected: list[tuple[CorrectionKind, str, str]] = []
        """The corrections that must be stored: (kind, category, by)."""
        self.seen = {"U2": 0, "U3": 0}
        """Person → `seen` of the card that they saw last."""

    async def _open(self) -> None:
        await Releasing(self.desk.store, self.clock).ensure(PROMPT, BASE)
        await self.desk.ask()

    def run(self, verb: Any) -> Any:
        return self.runner.run(verb)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()

    @property
    def settled(self) -> tuple[CorrectionKind, str, str] | None:
        return self.expected[-1] if self.expected and self.expected[-1][0] is not CorrectionKind.UNDO else None

    @rule(by=st.sampled_from(["U2", "U3"]))
    def look(self, by: str) -> None:
        self.seen[by] = self.run(self.desk.correcting.card(self.desk.question)).seen

    @rule(
        by=st.sampled_from(["U2", "U3"]),
        category=st.sampled_from([None, *CATEGORIES]),
        reason=st.sampled_from([None, "規則のため"]),
    )
    def press(self, by: str, category: str | None, reason: str | None) -> None:
        self.clock.advance(seconds=1)
        chosen = category or "labor"
        again = self.settled and self.settled[1:] == (chosen, by) and reason is None
        up_to_date = self.seen[by] == len(self.expected)
        verb = self.desk.press(category, self.seen[by], by, reason)
        if again or up_to_date:
            self.seen[by] = self.run(verb).seen
            if not again:
                self.expected.append((CorrectionKind.AGREE if chosen == "labor" else CorrectionKind.CHANGE, chosen, by))
        else:
            self._refused(verb, Reason.SETTLED_MEANWHILE)

    @rule(by=st.sampled_from(["U2", "U3"]))
    def undo(self, by: str) -> None:
        verb = self.desk.correcting.undo(self.desk.question, self.seen[by], by)
        if self.seen[by] != len(self.expected):
            self._refused(verb, Reason.SETTLED_MEANWHILE)
        elif self.settled is None:
            self._refused(verb, Reason.NOTHING_TO_UNDO)
        else:
            self.expected.append((CorrectionKind.UNDO, self.settled[1], by))
            self.seen[by] = self.run(verb).seen

    def _refused(self, verb: Any, reason: Reason) -> None:
        with pytest.raises(Refused) as refused:
            self.run(verb)
        assert refused.value.reason is reason

    @invariant()
    def stored_corrections_are_as_expected(self) -> None:
        corrections = self.run(self.desk.corrections())
        assert [(c.kind, c.category, c.by) for c in corrections] == self.expected
        assert [c.seq for c in corrections] == list(range(1, len(corrections) + 1))

    @invariant()
    def row_exists_exactly_while_settled(self) -> None:
        row, corrections = self.run(self.desk.row()), self.run(self.desk.corrections())
        newest = settlement(corrections[-1] if corrections else None)
        assert (row is None) == (newest is None)
        if row and newest:
            assert (row.category, row.by, row.settled_at) == (newest.category, newest.by, newest.at)
            changed = newest.kind is CorrectionKind.CHANGE
            assert row.source is (Source.CHANGE if changed else Source.AGREE)
            assert answer_of(row)["category"] == next(c.name for c in PROMPT.categories if c.id == newest.category)
            if changed:
                assert row.reason == newest.reason

    @invariant()
    def card_shows_the_settlement(self) -> None:
        card = self.run(self.desk.correcting.card(self.desk.question))
        assert card.seen == len(self.expected)
        corrections = self.run(self.desk.corrections())
        assert card.settled == settlement(corrections[-1] if corrections else None)

    @precondition(lambda self: self.expected)
    @invariant()
    def each_correction_updates_the_card(self) -> None:
        assert self.run(self.desk.open_deliveries()) == len(self.expected)


def test_any_order_of_presses_by_two_people(fresh: Fresh) -> None:
    some = settings(max_examples=6, stateful_step_count=10, deadline=None)
    run_state_machine_as_test(partial(Staff, fresh), settings=some)  # type: ignore[arg-type]  # any factory will do
