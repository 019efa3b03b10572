"""Training and held-out rows: a row never changes sides, and no near-copy of a held-out question is trained on."""

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bot.corrections.correcting import Correcting
from bot.corrections.reviewing import Reviewing
from bot.dataset.exporting import Exporting
from bot.dataset.importing import Importing
from bot.domain.audience import Audience
from bot.domain.correction import Press
from bot.domain.dataset import Row, Split, neutral_reason, questions_of, split_of
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.question import ArrivalKind
from bot.questions.answering import Answering
from bot.questions.classifying import Classifying
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing, add_candidate
from bot.similarity.compared_texts import TextMask, TextNumbers
from bot.similarity.disjoint import UnseenRows, overlapping_ids, prove_disjoint
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, CATEGORIES, PROMPT, arrival
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer
from tests.kits.near_texts import BRIDGE, HELD_OUT, TEXTS, TRAINED, near, row_in, save
from tests.kits.plain_export import export

REASON_FOR = "[for {}]"
"""A reason that names the category it argues for."""


@pytest.fixture
def neighbours(store: SqlStore) -> RowNeighbours:
    return RowNeighbours(store)


@pytest.fixture
def exporting(store: SqlStore, neighbours: RowNeighbours, clock: StepClock) -> Exporting:
    return Exporting(store, neighbours, clock)


async def test_near_copy_of_held_out_is_not_exported(store: SqlStore, exporting: Exporting) -> None:
    assert near(TRAINED, BRIDGE)
    assert near(BRIDGE, HELD_OUT)
    assert not near(TRAINED, HELD_OUT)
    trained, bridge = row_in(TRAINED, Split.TRAIN, "g"), row_in(BRIDGE, Split.TRAIN, "g")
    await save(store, trained, bridge, row_in(HELD_OUT, Split.HELD_OUT))
    frozen = await exporting.export()
    assert list(frozen.texts) == [TRAINED]
    assert frozen.manifest.left_out == {"near_held_out": 1}


class BlindNumbers(TextNumbers):
    """Texts whose first search finds nothing."""

    searched = False

    async def near(self, these: TextMask, others: TextNumbers, those: TextMask) -> TextMask:
        found = await super().near(these, others, those) & self.searched
        self.searched = True
        return found


class BlindOnce(RowNeighbours):
    """Neighbours whose first search finds nothing, so that only the proof after it finds the near-copies."""

    searched = False

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        found = super().pairs(these, those) if self.searched else []
        self.searched = True
        return found

    async def numbered(self) -> TextNumbers:
        numbers = await super().numbered()
        numbers.__class__ = BlindNumbers
        return numbers


async def test_training_file_that_is_not_disjoint_is_refused(
    store: SqlStore, database: Database, clock: StepClock
) -> None:
    await save(store, row_in(BRIDGE, Split.TRAIN), row_in(HELD_OUT, Split.HELD_OUT))
    with pytest.raises(Refused) as refused:
        await Exporting(store, BlindOnce(store), clock).export(student=BASE)
    assert (refused.value.reason, refused.value.facts) == (Reason.NOT_DISJOINT, {"rows": 1})
    assert await DatabaseShelf(database).names("datasets/") == []


async def test_score_on_overlapping_rows_is_refused(store: SqlStore) -> None:
    with pytest.raises(Refused) as refused:
        await UnseenRows(BlindOnce(store)).of([row_in(HELD_OUT, Split.HELD_OUT)], [row_in(BRIDGE, Split.TRAIN)])
    assert refused.value.reason is Reason.NOT_DISJOINT


@pytest.mark.parametrize(
    ("trained", "held_out"),
    [
        (row_in("鍵", Split.TRAIN, "a"), row_in("鍵！", Split.HELD_OUT, "b")),
        (row_in("鍵", Split.TRAIN, "a"), row_in("名刺", Split.HELD_OUT, "a")),
        (row_in(BRIDGE, Split.TRAIN), row_in(HELD_OUT, Split.HELD_OUT)),
    ],
    ids=["exact", "group", "near"],
)
async def test_seen_finds_equal_texts_groups_and_near_copies(
    neighbours: RowNeighbours, trained: Row, held_out: Row
) -> None:
    other = row_in("経費", Split.HELD_OUT)
    assert await overlapping_ids(neighbours, [held_out, other], [trained]) == {held_out.id}
    with pytest.raises(Refused):
        await prove_disjoint(neighbours, [trained], [held_out, other])
    await prove_disjoint(neighbours, [trained], [other])
    with pytest.raises(Refused):
        await prove_disjoint(neighbours, [], [held_out], [f"{held_out.text}？"])


@pytest.mark.parametrize("since", ["withdrawn", "edited"])
async def test_question_near_trained_text_is_not_scored(
    store: SqlStore, neighbours: RowNeighbours, clock: StepClock, since: str
) -> None:
    held_out = [
        row_in(BRIDGE, Split.HELD_OUT, "g"),
        row_in(HELD_OUT, Split.HELD_OUT, "g"),
        row_in("経費", Split.HELD_OUT),
    ]
    trained = row_in(TRAINED, Split.TRAIN)
    model = RuleModel({})
    await save(store, *held_out, trained)
    # The trained text counts, although its row was withdrawn or got another text since.
    async with store.transaction() as tx:
        await tx.rows.withdraw(trained.id, clock.now())
        if since == "edited":
            await tx.rows.put(trained.model_copy(update={"text": "駐車場", "group": "駐車場"}))
        await tx.datasets.put(export([trained], PROMPT).manifest, clock.now())
        finetune = Finetune(
            id="ft-1",
            student=BASE,
            dataset_id=export([trained], PROMPT).manifest.id,
            prompt_id=PROMPT.id,
            estimate=Estimate(rows=1, tokens=1, epochs=1, usd=None, price_date=None),
            state=FinetuneState.SUCCEEDED,
            requested_by="U9",
            language="ja",
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        await tx.finetunes.add(finetune)
        await tx.finetunes.save_rows("ft-1", {trained.id: trained.text})
        release = await add_candidate(tx, clock.now(), BASE, prompt_id=PROMPT.id, by="U9", why="", finetune_id="ft-1")
    evaluating = Evaluating(
        store, model, clock, neighbours=neighbours, estimator=CountingEstimator(), per_second={"local": 1000.0}
    )
    judged = await evaluating.judge_held_out(release)
    assert {one.row.text for one in judged} == {HELD_OUT, "経費"}
    assert {one.row.text for one in await evaluating.judge_held_out(await Releasing(store, clock).serving())} == {
        BRIDGE,
        HELD_OUT,
        "経費",
    }


async def test_held_out_question_in_prompt_is_not_scored(
    store: SqlStore, neighbours: RowNeighbours, clock: StepClock
) -> None:
    (example,) = PROMPT.examples
    copies = [
        row_in(example, Split.HELD_OUT),
        row_in(f"すみません、{example.removesuffix('？')}までですか", Split.HELD_OUT),
    ]
    assert near(example, copies[1].text)
    await save(store, *copies, row_in("経費", Split.HELD_OUT))
    bare = PROMPT.changed(categories=[one.model_copy(update={"examples": ()}) for one in PROMPT.categories])
    releasing = Releasing(store, clock)
    serving = await releasing.serving()
    async with store.transaction() as tx:
        await tx.prompts.put(bare)
        candidate = await add_candidate(tx, clock.now(), BASE, prompt_id=bare.id, by="U9", why="prompt")
    model = RuleModel({})
    evaluating = Evaluating(
        store, model, clock, neighbours=neighbours, estimator=CountingEstimator(), per_second={"local": 1e6}
    )
    for release in (serving, candidate):  # neither of two compared releases may know the answer
        assert [one.row.text for one in await evaluating.judge_held_out(release)] == ["経費"]
    await releasing.switch(candidate.id, "U9")
    assert {one.row.text for one in await evaluating.judge_held_out(candidate)} == {
        "経費",
        *(one.text for one in copies),
    }
    assert [one.row.text for one in await evaluating.judge_held_out(serving)] == ["経費"]


async def test_unseen_rows_are_the_same_when_asked_again(neighbours: RowNeighbours) -> None:
    unseen = UnseenRows(neighbours)
    held_out = [row_in(BRIDGE, Split.HELD_OUT), row_in("経費", Split.HELD_OUT)]
    trained = [row_in(TRAINED, Split.TRAIN)]
    assert await unseen.of(held_out, trained) == await unseen.of(held_out, trained) == held_out[1:]
    assert await unseen.of(held_out, []) == held_out
    assert await unseen.of(held_out, [], [TRAINED]) == held_out[1:]


class Dataset(RuleBasedStateMachine):
    """Questions asked, settled, reopened and edited, conflicts settled, and files imported, in any order."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = Database(fresh())
        self.store, self.clock = SqlStore(self.database), StepClock()
        self.board = FakeAnnouncer()
        self.neighbours = RowNeighbours(self.store)
        self.correcting = Correcting(self.store, self.neighbours, self.clock)
        self.answering = Answering(
            self.store, Classifying(self.store, RuleModel({}), self.neighbours, self.clock), self.board, self.clock
        )
        self.importing = Importing(self.store, self.neighbours, self.clock)
        self.reviewing = Reviewing(self.store, self.correcting, self.neighbours, self.clock)
        self.exporting = Exporting(self.store, self.neighbours, self.clock)
        self.edits = 100
        self.first_groups: dict[tuple[str, str], str] = {}
        """(row id, text) → the first group of that row."""
        self.run(Releasing(self.store, self.clock).ensure(PROMPT, BASE))

    def run(self, verb: Any) -> Any:
        self.clock.advance(seconds=1)
        return self.runner.run(verb)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()

    async def rows(self) -> list[Row]:
        async with self.store.transaction() as tx:
            return [one async for one in tx.rows.all()]

    @rule(text=st.sampled_from(TEXTS), category=st.sampled_from(CATEGORIES), reason=st.sampled_from(["", REASON_FOR]))
    def ask_and_settle(self, text: str, category: str, reason: str) -> None:
        asked = len(self.board.cards)
        asked_here = arrival(text, n=asked + 1).model_copy(update={"audience": Audience.PUBLIC})
        self.run(self.answering.receive(asked_here))
        self.run(self.answering.answer_next())
        self._press(list(self.board.cards)[asked], category, reason)

    @rule(which=st.integers(0, 20), category=st.sampled_from(CATEGORIES), reason=st.sampled_from(["", REASON_FOR]))
    def settle_anew(self, which: int, category: str, reason: str) -> None:
        if self.board.cards:
            self._press(list(self.board.cards)[which % len(self.board.cards)], category, reason)

    @rule(which=st.integers(0, 20), text=st.none() | st.sampled_from(TEXTS), again=st.booleans())
    def reopen_and_edit(self, which: int, text: str | None, again: bool) -> None:  # noqa: FBT001 - drawn by name
        settled = [q for q in self.board.cards if self.run(self.correcting.card(q)).settled]
        if settled:
            question = settled[which % len(settled)]
            card = self.run(self.correcting.card(question))
            self.run(self.correcting.undo(question, card.seen, "U2"))
            if text:
                n, self.edits = list(self.board.cards).index(question) + 1, self.edits + 1
                edit = {"event_id": f"edit:{self.edits}", "kind": ArrivalKind.EDITED, "said": f"{n}.{self.edits:06}"}
                self.run(self.answering.receive(arrival(text, n=n).model_copy(update=edit)))
                self.run(self.answering.answer_next())
            if again:
                self._press(question, "it")

    @rule(category=st.sampled_from(CATEGORIES))
    def settle_a_conflict(self, category: str) -> None:
        for conflict in self.run(self.neighbours.conflicts())[:1]:
            self.run(self.reviewing.settle_conflict(conflict.key, category, "U3"))

    @rule(lines=st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(CATEGORIES)), min_size=1, max_size=6))
    def import_file(self, lines: list[tuple[str, str]]) -> None:
        records = [
            json.dumps({"text": text, "category": category, "reason": REASON_FOR.format(category)})
            for text, category in lines
        ]
        self.run(self.importing.load("\n".join(records).encode(), "a.jsonl"))

    def _press(self, question: str, category: str, reason: str = "") -> None:
        card = self.run(self.correcting.card(question))
        press = Press(
            question_id=question, category=category, reason=reason.format(category) or None, seen=card.seen, by="U2"
        )
        self.run(self.correcting.settle(press))

    @invariant()
    def no_row_changes_its_group_or_split(self) -> None:
        for one in self.run(self.rows()):
            assert self.first_groups.setdefault((one.id, one.text), one.group) == one.group
            assert one.split is split_of(one.group)

    @invariant()
    def no_near_copy_of_a_held_out_question_is_trained_on(self) -> None:
        rows = self.run(self.rows())
        try:
            frozen = self.run(self.exporting.export())
        except Refused as refused:
            if refused.reason is not Reason.NO_ROWS:
                raise
            return
        held_out = [one for one in rows if one.split is Split.HELD_OUT]
        by_id = {one.id: one for one in rows}
        for row_id, text in zip(frozen.texts, questions_of(frozen.lines()), strict=True):
            assert by_id[row_id].split is Split.TRAIN
            assert not [one.text for one in held_out if near(one.text, text)]
            assert {one.category for one in rows if one.group == by_id[row_id].group} == {by_id[row_id].category}
        for line in frozen.data.decode().splitlines():
            answer = json.loads(json.loads(line)["messages"][2]["content"])
            category = PROMPT.named(answer["category"])
            assert category
            allowed = {REASON_FOR.format(category.id), neutral_reason("ja", category)}
            # A row without a reason by staff has the model's, and this model always answers with the catch-all.
            assert answer["reason"] in allowed or (category.other and not answer["reason"].startswith(REASON_FOR[:4]))
        manifest = frozen.manifest
        assert manifest.rows + manifest.held_out + sum(manifest.left_out.values()) == len(rows)


def test_any_order_of_arrivals_corrections_and_imports(fresh: Fresh) -> None:
    some = settings(max_examples=6, stateful_step_count=10, deadline=None)
    run_state_machine_as_test(partial(Dataset, fresh), settings=some)  # type: ignore[arg-type]  # any factory will do
