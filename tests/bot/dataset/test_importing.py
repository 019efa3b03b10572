"""Imports: every line is accounted for, and a second import of the same file changes nothing."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.dataset.importing import IMPORTED_PER_TRANSACTION, Importing, ImportReport
from bot.domain.dataset import Row, Source, group_of, split_of
from bot.domain.labelled import Flaw
from bot.ports import RowChanges
from bot.releases.releasing import Releasing
from bot.similarity.kept import maker
from bot.similarity.neighbours import RowNeighbours
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import BASE, PROMPT, row
from tests.kits.fakes import StepClock
from tests.kits.plain_export import export

JSON_LINE = json.dumps([{"text": f"PC {n}", "category": "it"} for n in range(3)]).encode()


@pytest.fixture
def importing(store: SqlStore, clock: StepClock) -> Importing:
    return Importing(store, RowNeighbours(store), clock)


def jsonl(*records: tuple[str, str] | tuple[str, str, str]) -> bytes:
    names = ("text", "category", "reason")
    lines = [json.dumps(dict(zip(names, record, strict=False)), ensure_ascii=False) for record in records]
    return "\n".join(lines).encode()


async def stored_rows(store: SqlStore) -> list[Row]:
    async with store.transaction() as tx:
        return [one async for one in tx.rows.all()]


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.same, len(report.bad)


async def test_lines_become_rows_with_their_origin(importing: Importing, store: SqlStore) -> None:
    report = await importing.load(jsonl(("有給は？", "労務", "規則だから"), ("PC が遅い", "IT")), "history.jsonl")
    assert counts(report) == (2, 0, 0, 0)
    by_category = {one.category: one for one in await stored_rows(store)}
    labor = by_category["labor"]
    assert (labor.text, labor.reason, labor.source, labor.origin) == (
        "有給は？",
        "規則だから",
        Source.IMPORT,
        "history.jsonl",
    )
    assert (labor.group, labor.split) == (group_of("有給は？"), split_of(group_of("有給は？")))
    assert by_category["it"].reason is None


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("労務", "labor"),
        ("labor", "labor"),
        ("LABOR.", "labor"),
        ("【労務】", "labor"),
        ("1. 労務", "labor"),
        ("労務（人事労務）", "labor"),
        ("分類：労務", "labor"),
        ("ＩＴ", "it"),
        ("I T", "it"),
        ("労務 or IT", None),
        ("労務、IT", None),
        ("IT - 労務", None),
        ("労務ではない", None),
        ("労務？", None),
    ],
)
async def test_label_is_read_as_a_models_answer(importing: Importing, label: str, category: str | None) -> None:
    preview = await importing.preview(jsonl(("有給は？", label)))
    assert list(preview.by_category) == ([category] if category else [])
    assert [bad.why for bad in preview.bad] == ([] if category else [Flaw.UNKNOWN_CATEGORY])


@pytest.mark.parametrize(
    ("label", "nearest"),
    [
        ("労務部", "労務"),
        ("労務課給与係", "労務"),
        ("Labor squad", "労務"),
        ("IT サポート", "情シス"),
        ("credit", ""),
        ("営業", ""),
    ],
)
async def test_unknown_label_has_the_nearest_category(importing: Importing, label: str, nearest: str) -> None:
    (bad,) = (await importing.preview(jsonl(("有給は？", label)))).bad
    assert bad.facts["nearest"] == nearest


async def test_second_import_changes_nothing(importing: Importing, store: SqlStore, clock: StepClock) -> None:
    data = jsonl(("有給は？", "労務"), ("PC が遅い", "it"), ("？", "it"))
    await importing.load(data, "a.jsonl")
    before = await stored_rows(store)
    clock.advance(hours=1)
    assert counts(await importing.load(data, "b.jsonl")) == (0, 0, 2, 1)
    assert await stored_rows(store) == before


async def test_second_import_does_not_outdate_a_correction(
    importing: Importing, store: SqlStore, clock: StepClock
) -> None:
    data = jsonl(("有給は？", "労務"))
    await importing.load(data, "a.jsonl")
    clock.advance(hours=1)
    async with store.transaction() as tx:
        await tx.rows.put(row("有給は？", "it", row_id="q1").model_copy(update={"settled_at": clock.now()}))
    clock.advance(hours=1)
    await importing.load(data, "a.jsonl")
    rows = await stored_rows(store)
    assert max(rows, key=lambda one: one.settled_at).category == "it"


async def test_corrected_file_changes_its_rows(importing: Importing, store: SqlStore) -> None:
    await importing.load(jsonl(("有給は？", "労務"), ("PC が遅い", "it")), "a.jsonl")
    report = await importing.load(jsonl(("有給は？", "その他"), ("PC が遅い", "it")), "a.jsonl")
    assert counts(report) == (0, 1, 1, 0)
    assert {one.category for one in await stored_rows(store)} == {"other", "it"}


async def test_second_import_keeps_rows_that_staff_settled(importing: Importing, store: SqlStore) -> None:
    data = jsonl(("有給は？", "労務"))
    await importing.load(data, "a.jsonl")
    (one,) = await stored_rows(store)
    settled = one.model_copy(update={"category": "it", "by": "U2", "source": Source.CHANGE})
    async with store.transaction() as tx:
        await tx.rows.put(settled)
    assert counts(await importing.load(data, "a.jsonl")) == (0, 0, 1, 0)
    assert await stored_rows(store) == [settled]


async def test_personal_data_is_masked(importing: Importing, store: SqlStore) -> None:
    await importing.load(jsonl(("taro@example.com の有給は？", "労務", "090-1234-5678 に聞いた")), "a")
    (one,) = await stored_rows(store)
    assert (one.text, one.reason) == ("[mail] の有給は？", "[phone] に聞いた")


async def test_bad_lines_are_reported_by_number(importing: Importing, store: SqlStore) -> None:
    data = jsonl(("有給は？", "労務"), ("PC？", "sales"), ("!!!", "it"), ("", "it")) + b"\nnot json"
    report = await importing.load(data, "a")
    assert [bad.line for bad in report.bad] == [2, 3, 4, 5]
    assert report.bad[0].why is Flaw.UNKNOWN_CATEGORY
    assert report.bad[0].facts == {"category": "sales", "names": "労務, 情シス, その他", "nearest": ""}
    assert len(await stored_rows(store)) == 1


async def test_last_line_wins_in_a_contradictory_file(importing: Importing, store: SqlStore) -> None:
    report = await importing.load(jsonl(("有給は？", "労務"), ("有給は?", "it"), ("有給は", "it")), "a")
    assert counts(report) == (1, 0, 1, 1)
    assert report.bad[0].line == 1
    assert [one.category for one in await stored_rows(store)] == ["it"]


async def test_import_spans_several_pages(importing: Importing, store: SqlStore) -> None:
    report = await importing.load(jsonl(*((f"質問 {n}", "it") for n in range(IMPORTED_PER_TRANSACTION + 3))), "a")
    assert counts(report) == (IMPORTED_PER_TRANSACTION + 3, 0, 0, 0)
    assert len(await stored_rows(store)) == IMPORTED_PER_TRANSACTION + 3


texts = st.sampled_from(["有給は？", "有給は", "PC", "ｐｃ!", "鍵", "?", ""])
labels = st.sampled_from(["労務", "IT", "it", "other", "sales", ""])


@settings(max_examples=12, deadline=None)
@given(records=st.lists(st.tuples(texts, labels), max_size=8))
def test_every_line_is_counted_and_no_row_doubles(fresh: Fresh, records: list[tuple[str, str]]) -> None:
    async def story() -> None:
        database = Database(fresh())
        store = SqlStore(database)
        await Releasing(store, StepClock()).ensure(PROMPT, BASE)
        importing = Importing(store, RowNeighbours(store), StepClock())
        data = b'{"text": "first", "category": "other"}\n' + jsonl(*records)
        try:
            first = await importing.load(data, "a")
            rows = await stored_rows(store)
            second = await importing.load(data, "a")
            assert await stored_rows(store) == rows
        finally:
            await database.close()
        assert sum(counts(first)) == sum(counts(second)) == len(records) + 1
        assert (second.added, second.changed) == (0, 0)
        assert len(rows) == first.added == len({one.group for one in rows})

    asyncio.run(story())


async def test_imported_training_file_gives_the_same_rows(importing: Importing, store: SqlStore) -> None:
    texts = [f"有給の{n}番目の質問ですか？\u2028続き" for n in range(8)] + [f"PC {n} will not start" for n in range(8)]
    rows = [row(text, "labor" if n < 8 else "it", reason="だから" if n % 2 else None) for n, text in enumerate(texts)]
    first = export(rows, PROMPT)
    report = await importing.load(first.data, "export.jsonl")
    assert counts(report) == (first.manifest.rows, 0, 0, 0)
    second = export(await stored_rows(store), PROMPT)
    assert second.data == first.data


class BreakingNeighbours(RowNeighbours):
    """Neighbours that fail at the second page, once."""

    pages = 0

    async def groups(self, texts: Sequence[str], changes: RowChanges | None = None) -> list[str]:
        self.pages += 1
        if self.pages == 2:
            raise ConnectionError("the database went away")
        return await super().groups(texts, changes)


async def test_broken_import_goes_on_where_it_was(store: SqlStore, fresh: Fresh, clock: StepClock) -> None:
    """The rows are those of an import in one go; what was written is not compared again."""
    texts = [f"有給 {n}{', please' * (n % 2)}" for n in range(IMPORTED_PER_TRANSACTION * 2)] + ["please 有給 3"]
    data = jsonl(*((text, "労務") for text in texts))
    other_database = Database(fresh())
    other = SqlStore(other_database)
    await Releasing(other, clock).ensure(PROMPT, BASE)
    whole = await Importing(other, RowNeighbours(other), clock).load(data, "a.jsonl")
    breaking = BreakingNeighbours(store)
    importing = Importing(store, breaking, clock)
    with pytest.raises(ConnectionError):
        await importing.load(data, "a.jsonl")
    report = await importing.load(data, "a.jsonl")
    assert breaking.pages == 4, "pages two and three follow; page one is not compared again"
    done = IMPORTED_PER_TRANSACTION
    assert (report.added, report.same) == (whole.added - done, whole.same + done)
    assert [(one.id, one.text, one.group, one.split) for one in await stored_rows(store)] == [
        (one.id, one.text, one.group, one.split) for one in await stored_rows(other)
    ]
    await other_database.close()


async def test_import_tells_each_part_of_its_work(importing: Importing, store: SqlStore) -> None:
    told: list[tuple[int, int]] = []
    page, more = IMPORTED_PER_TRANSACTION, IMPORTED_PER_TRANSACTION + 1
    data = jsonl(*((f"有給 {n}", "労務") for n in range(more)))
    await importing.load(data, "a.jsonl", report=lambda done, total: told.append((done, total)))
    assert told == [(page, 0), (more, more), (page, more), (more, more)], "records read, rows written"
    told.clear()
    later = Importing(store, RowNeighbours(store), StepClock())
    await later.load(data + b"\n" + jsonl(("VPN", "IT")), "b.jsonl", report=lambda *one: told.append(one))
    assert (more, more) in told[told.index((page, more + 1)) :], "rows of before are indexed for the first new one"
    assert told[-1] == (more + 1, more + 1)


@pytest.mark.parametrize(("data", "records"), [(b'text,category\n"a\nb\nc",it\n"d\ne",it\n', 2), (JSON_LINE, 3)])
async def test_end_of_reading_counts_records_not_lines(importing: Importing, data: bytes, records: int) -> None:
    told: list[tuple[int, int]] = []
    await importing.load(data, "a", report=lambda done, total: told.append((done, total)))
    assert told[0] == (records, records)


async def test_killed_import_leaves_its_index(
    store: SqlStore, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next import goes on from it, instead of comparing all rows again."""
    monkeypatch.setattr("bot.dataset.importing.KEPT_AFTER", 0.0)
    monkeypatch.setattr("bot.dataset.importing.WORK_PER_KEEPING", 0.0)
    monkeypatch.setattr("bot.similarity.neighbours.KEPT_FROM", 1)
    data = jsonl(*((f"有給 {n}", "労務") for n in range(IMPORTED_PER_TRANSACTION + 1)))
    with pytest.raises(ConnectionError):
        await Importing(store, BreakingNeighbours(store), clock).load(data, "a.jsonl")
    async with store.transaction() as tx:
        assert await tx.index_parts.get(maker())
