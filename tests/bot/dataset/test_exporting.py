"""The export that holds no row gives the same bytes as one that holds them all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from bot.dataset.exporting import Exporting
from bot.dataset.training_files import DiskFile
from bot.domain.audience import Audience
from bot.domain.dataset import Export, Row, Source, Split, group_of, split_of
from bot.domain.errors import Refused
from bot.ports import Transaction
from bot.releases.releasing import Releasing
from bot.similarity.disjoint import overlapping_ids
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.store import SqlStore
from storage.tables import rows
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, CATEGORIES, PROMPT, row, rows_of
from tests.kits.fakes import StepClock
from tests.kits.near_texts import TEXTS, save
from tests.kits.plain_export import export

SAME_LETTERS = ["re set form 10 40", "reset form 1040", "reset form 1040 today", "re set form 10 40 today"]
"""Texts that are equal without spaces, and differ in their words."""


async def plain(store: SqlStore) -> Export:
    """Export as the first program did, with all rows in memory."""
    neighbours = RowNeighbours(store)
    async with store.snapshot() as tx:
        every = [one async for one in tx.rows.all()]
    train, held_out = ([one for one in every if one.split is split] for split in (Split.TRAIN, Split.HELD_OUT))
    return export(
        every,
        PROMPT,
        contested=await neighbours.contested(every),
        near_held_out=await overlapping_ids(neighbours, train, held_out),
        private=False,
    )


@st.composite
def many_rows(draw: st.DrawFn) -> list[Row]:
    found = []
    for n in range(draw(st.integers(0, 14))):
        text = draw(st.sampled_from([*TEXTS, *SAME_LETTERS, "VPN <|endoftext|>"]))
        group = group_of(draw(st.sampled_from([text, TEXTS[0], TEXTS[7]])))
        changes = {
            "group": group,
            "split": split_of(group),
            "audience": draw(st.sampled_from([Audience.PUBLIC, Audience.PUBLIC, Audience.PRIVATE])),
            "source": draw(st.sampled_from(Source)),
            "by": draw(st.sampled_from(["U1", "U2"])),
        }
        category, at = draw(st.sampled_from([*CATEGORIES, "gone"])), draw(st.integers(0, 2))
        row_id = f"{draw(st.sampled_from('ab'))}{n}"
        made = row(text, category, at=at, row_id=row_id, reason=draw(st.none() | st.just("規則\u2028だから")))
        found.append(made.model_copy(update=changes))
    return found


def tied(*ids: str) -> list[Row]:
    """Return rows of one text and category in different groups, settled at the same time."""
    text = next(text for text in TEXTS if split_of(group_of(text)) is Split.TRAIN)
    return [row(text, row_id=one).model_copy(update={"group": f"g{n}", "reason": one}) for n, one in enumerate(ids)]


def test_export_without_held_rows_is_the_same(fresh: Fresh) -> None:
    database, runner = Database(fresh()), asyncio.Runner()
    store = SqlStore(database)

    async def compare(saved: list[Row]) -> None:
        async with database.begin() as connection:
            await connection.execute(delete(rows))
        await save(store, *saved)
        expected = await plain(store)
        exporting = Exporting(store, RowNeighbours(store), StepClock())
        if not expected.texts:
            with pytest.raises(Refused):
                await exporting.export()
            return
        frozen = await exporting.export()
        assert (frozen.data, frozen.manifest) == (expected.data, expected.manifest)
        assert [*frozen.texts.items()] == [*expected.texts.items()]

    @settings(max_examples=15, deadline=None)
    @given(many_rows())
    @example(tied("b", "a", "c"))
    @example(tied("a", "c", "b"))
    def check(saved: list[Row]) -> None:
        runner.run(compare(saved))

    with runner:
        try:
            runner.run(Releasing(store, StepClock()).ensure(PROMPT, BASE))
            check()
        finally:
            runner.run(database.close())


@pytest.fixture
def exporting(store: SqlStore, clock: StepClock) -> Exporting:
    return Exporting(store, RowNeighbours(store), clock)


async def test_file_has_no_name_before_its_end(store: SqlStore, exporting: Exporting, tmp_path: Path) -> None:
    await save(store, *rows_of(Split.TRAIN, "labor", 5), *rows_of(Split.HELD_OUT, "it", 2))
    file, told = DiskFile(tmp_path / "unnamed"), list[tuple[int, int]]()
    manifest = await exporting.write(file, lambda done, total: told.append((done, total)))
    assert [one.name for one in tmp_path.iterdir()] == ["unnamed"]
    file.name(tmp_path / "a.jsonl")
    file.discard()
    frozen = await exporting.export()
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]
    assert (tmp_path / "a.jsonl").read_bytes() == frozen.data
    assert frozen.manifest == manifest
    assert told == [(7, 7), (7, 7), (7, 7), (5, 5)], "indexed, read, written and proven"


async def test_refused_export_leaves_no_file(exporting: Exporting, tmp_path: Path) -> None:
    file = DiskFile(tmp_path / "unnamed")
    try:
        with pytest.raises(Refused):
            await exporting.write(file)
    finally:
        file.discard()
    assert [*tmp_path.iterdir()] == []


class PatienceStore(SqlStore):
    """A store that notes which snapshots may be paused."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.patient: list[bool] = []

    @asynccontextmanager
    async def snapshot(self, *, patient: bool = False) -> AsyncIterator[Transaction]:
        self.patient.append(patient)
        async with super().snapshot(patient=patient) as tx:
            yield tx


async def test_export_may_wait_within_its_snapshot(store: SqlStore, database: Database, clock: StepClock) -> None:
    """Other looks for near-copies may take minutes, and PostgreSQL ends a session that pauses for 30 seconds."""
    await save(store, *rows_of(Split.TRAIN, "labor", 5), *rows_of(Split.HELD_OUT, "it", 2))
    reading = PatienceStore(database)
    await Exporting(reading, RowNeighbours(store), clock).export()
    assert reading.patient == [True]
