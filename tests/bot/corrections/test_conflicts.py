"""Conflicts: near-duplicates settled differently are listed, excluded everywhere, and settled by one press."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corrections.correcting import Correcting
from bot.corrections.reviewing import QueueEntry, Reviewing
from bot.dataset.exporting import Exporting
from bot.domain.dataset import Row, Split, split_of
from bot.domain.gain import QueueReason
from bot.finetunes.budget import Spending
from bot.finetunes.status import Reporting
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import CATEGORIES, PROMPT, row
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator
from tests.kits.migrated import migrated_postgresql
from tests.kits.near_texts import BRIDGE, HELD_OUT, LONG, TEXTS, TRAINED, near, row_in, save
from tests.kits.plain_export import export

FIRST, BETWEEN, LAST = TRAINED, BRIDGE, HELD_OUT
"""The one in between is near to both others, which are not near to each other."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, fresh: Fresh) -> AsyncIterator[Database]:
    database = Database(fresh() if request.param == "sqlite" else migrated_postgresql())
    yield database
    await database.close()


@pytest.fixture
def neighbours(store: SqlStore) -> RowNeighbours:
    return RowNeighbours(store)


@pytest.fixture
def reviewing(store: SqlStore, neighbours: RowNeighbours, clock: StepClock) -> Reviewing:
    return Reviewing(store, Correcting(store, neighbours, clock), neighbours, clock)


@pytest.fixture
def reporting(store: SqlStore, neighbours: RowNeighbours, clock: StepClock) -> Reporting:
    return Reporting(store, clock, Spending(CountingEstimator(), clock), neighbours)


@pytest.fixture
async def conflict_rows(store: SqlStore) -> list[Row]:
    """Return the rows of two training groups in conflict, and a row that is in no conflict."""
    rows = [
        row_in(FIRST, Split.TRAIN, "g1"),
        row_in(BETWEEN, Split.TRAIN, "g1"),
        row_in(LAST, Split.TRAIN, "g2", "it"),
        row_in("鍵の紛失", Split.TRAIN, "g3", "it"),
    ]
    await save(store, *rows)
    return rows


async def test_two_groups_settled_differently_are_one_conflict(conflict_rows: list[Row], reviewing: Reviewing) -> None:
    (listed,) = await reviewing.queue()
    assert listed == QueueEntry(key="g1", why=QueueReason.CONFLICT)
    assert await reviewing.waiting() == 1
    (entry,) = await reviewing.entries([listed])
    assert entry.open
    assert {one.id for one in entry.rows} == {one.id for one in conflict_rows[:3]}


async def test_rows_in_conflict_are_used_for_nothing(
    conflict_rows: list[Row],
    store: SqlStore,
    database: Database,
    neighbours: RowNeighbours,
    clock: StepClock,
) -> None:
    frozen = await Exporting(store, neighbours, clock).export()
    assert list(frozen.texts) == [conflict_rows[3].id]
    assert frozen.manifest.left_out == {"conflict": 3}
    evaluating = Evaluating(
        store, RuleModel({}), clock, neighbours=neighbours, estimator=CountingEstimator(), per_second={"local": 1e3}
    )
    release = await Releasing(store, clock).serving()
    await save(store, row_in("鍵を無くした", Split.HELD_OUT, "g4"), row_in(LAST + "！", Split.HELD_OUT, "g5"))
    assert [one.row.id for one in await evaluating.judge_held_out(release)] == ["鍵を無くした"]
    assert {one.row_id for one in await neighbours.nearest(BETWEEN, 9)} == set()
    assert {one.row_id for one in await neighbours.nearest("鍵を紛失", 9)} == {conflict_rows[3].id}


async def test_status_counts_a_conflict_once_and_no_rows(
    conflict_rows: list[Row], reporting: Reporting, reviewing: Reviewing
) -> None:
    status = await reporting.status()
    assert status.disagreements == [("it", "labor", 1)]
    assert (status.trained, status.untrained) == (0, 1)
    await reviewing.settle_conflict("g1", "it", "U4")
    status = await reporting.status()
    assert (status.disagreements, status.untrained) == ([], len(conflict_rows))


async def test_one_press_settles_the_whole_conflict(
    conflict_rows: list[Row], reviewing: Reviewing, neighbours: RowNeighbours, clock: StepClock
) -> None:
    clock.advance(minutes=1)
    await reviewing.settle_conflict("g1", "it", "U4")
    assert await reviewing.queue() == []
    assert await neighbours.conflicts() == []
    (entry,) = await reviewing.entries([QueueEntry(key="g1", why=QueueReason.CONFLICT)])
    assert not entry.open
    assert {(one.id, one.category, one.by) for one in entry.rows} == {
        (FIRST, "it", "U4"),
        (BETWEEN, "it", "U4"),
        (LAST, "it", "U2"),
    }
    assert {one.group for one in entry.rows} == {one.group for one in conflict_rows[:3]}, "no row changes its group"


async def test_conflict_ends_when_its_connecting_question_is_reopened(
    conflict_rows: list[Row], reviewing: Reviewing, store: SqlStore, clock: StepClock
) -> None:
    assert len(await reviewing.queue()) == 1
    clock.advance(minutes=1)
    async with store.transaction() as tx:
        await tx.rows.withdraw(conflict_rows[1].id, clock.now())
    assert await reviewing.queue() == []


async def test_held_out_and_training_rows_can_conflict(
    store: SqlStore, database: Database, neighbours: RowNeighbours, reviewing: Reviewing, clock: StepClock
) -> None:
    """Once they agree, the training row is still left out of exports, as a near-copy of a held-out one."""
    await save(
        store,
        row_in(BETWEEN, Split.TRAIN, "g1"),
        row_in(LAST, Split.HELD_OUT, "g2", "it"),
        row_in("鍵", Split.TRAIN, "g3"),
    )
    exporting = Exporting(store, neighbours, clock)
    assert (await exporting.export()).manifest.left_out == {"conflict": 2}
    await reviewing.settle_conflict("g1", "it", "U4")
    manifest = (await exporting.export()).manifest
    assert (manifest.left_out, manifest.held_out) == ({"near_held_out": 1}, 1)


async def test_contested_judges_the_rows_as_given(
    conflict_rows: list[Row], reviewing: Reviewing, store: SqlStore
) -> None:
    """A settlement during an export only affects the next one."""
    neighbours = RowNeighbours(store)
    await reviewing.settle_conflict("g1", "it", "U4")
    assert await neighbours.contested(conflict_rows) == {"g1", "g2"}
    assert await neighbours.contested(conflict_rows[1:2] + conflict_rows[3:]) == set()
    async with store.transaction() as tx:
        now = [one async for one in tx.rows.all()]
    assert await neighbours.contested(now) == set()


labelled_texts = st.lists(
    st.tuples(st.sampled_from(TEXTS + LONG * 3), st.sampled_from(CATEGORIES)),
    min_size=2,
    max_size=9,
    unique_by=lambda labelled: labelled[0],
)


async def save_labelled(neighbours: RowNeighbours, store: SqlStore, labels: list[tuple[str, str]]) -> list[Row]:
    """Save a row for each (text, category), in the group that it joins."""
    rows = []
    for n, (text, category) in enumerate(labels):
        (group,) = await neighbours.groups([text])
        one = row(text, category, at=n, row_id=text).model_copy(update={"group": group, "split": split_of(group)})
        rows.append(one)
        await save(store, one)
    return rows


@settings(max_examples=12, deadline=None)
@given(labelled_texts, st.data())
def test_exported_near_duplicates_agree_in_any_order(
    fresh: Fresh, labels: list[tuple[str, str]], data: st.DataObject
) -> None:
    async def story() -> None:
        found = []
        for order in (labels, data.draw(st.permutations(labels))):
            database = Database(fresh())
            try:
                store = SqlStore(database)
                neighbours = RowNeighbours(store)
                rows = await save_labelled(neighbours, store, order)
                contested = await neighbours.contested(rows)
                frozen = export(rows, PROMPT, contested=contested)
                kept = [one for one in rows if one.id in frozen.texts]
                for one, other in itertools.combinations(kept, 2):
                    assert one.category == other.category or not near(one.text, other.text)
                assert contested == {group for one in await neighbours.conflicts() for group in one.groups}
                found.append({one.text for one in rows if one.group in contested})
            finally:
                await database.close()
        assert found[0] == found[1]

    asyncio.run(story())
