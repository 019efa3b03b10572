from datetime import timedelta

import pytest

from bot.domain.dataset import Row, Source, Split
from bot.ports import Store
from storage import rows as rows_module
from tests.storage.things import NOW, row


async def test_row_is_read_as_written(store: Store) -> None:
    imported = row("i1").model_copy(
        update={"source": Source.IMPORT, "reason": None, "team": None, "channel": None, "ts": None, "origin": "a.csv"}
    )
    async with store.transaction() as transaction:
        await transaction.rows.put(row())
        await transaction.rows.put(imported)
        assert await transaction.rows.get("q1") == row()
        assert await transaction.rows.get("i1") == imported
        assert await transaction.rows.get("unknown") is None


async def test_row_is_replaced(store: Store) -> None:
    changed = row(category="other").model_copy(update={"reason": None, "source": Source.AGREE})
    async with store.transaction() as transaction:
        await transaction.rows.put(row())
        await transaction.rows.put(row("q2"))
        await transaction.rows.put(changed)
        assert [found async for found in transaction.rows.all()] == [changed, row("q2")]


async def test_withdrawn_row_is_hidden_until_put_again(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.rows.put(row())
        await transaction.rows.put(row("q2"))
        await transaction.rows.withdraw("q1", NOW)
        await transaction.rows.withdraw("unknown", NOW)
        assert await transaction.rows.get("q1") is None
        assert [found.id async for found in transaction.rows.all()] == ["q2"]
        assert await transaction.rows.counts() == {("labor", Split.TRAIN): 1}
        await transaction.rows.put(row())
        assert await transaction.rows.get("q1") == row()


async def test_counts_are_by_category_and_split(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.rows.counts() == {}
        for row_id, category, split in (
            ("a", "labor", Split.TRAIN),
            ("b", "labor", Split.TRAIN),
            ("c", "labor", Split.HELD_OUT),
            ("d", "other", Split.HELD_OUT),
        ):
            await transaction.rows.put(row(row_id, category, split))
        assert await transaction.rows.counts() == {
            ("labor", Split.TRAIN): 2,
            ("labor", Split.HELD_OUT): 1,
            ("other", Split.HELD_OUT): 1,
        }


async def test_pages_of_rows_follow_code_point_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "ROWS_IN_MEMORY", 3)
    ids = ["b", "B", "a", "_", "Z", "é", "業", "a-b", "aB", "10", "9"]
    async with store.transaction() as transaction:
        assert [found async for found in transaction.rows.all()] == []
        for n, row_id in enumerate(ids):
            await transaction.rows.put(row(row_id, split=Split.HELD_OUT if n % 3 else Split.TRAIN))
        assert [found.id async for found in transaction.rows.all()] == sorted(ids)
        assert [found.id async for found in transaction.rows.all(Split.TRAIN)] == sorted(ids[::3])


async def test_rows_of_a_group_come_together(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "ROWS_IN_MEMORY", 3)
    groups = ["b", "B", "a", "_", "Z", "é", "業", "a-b", "aB", "b", "é"]
    made = [row(f"{10 - n}").model_copy(update={"group": group}) for n, group in enumerate(groups)]
    async with store.transaction() as transaction:
        await transaction.rows.put(*made, row("gone"))
        await transaction.rows.withdraw("gone", NOW)
    async with store.snapshot() as transaction:
        pages = [page async for page in transaction.rows.by_group()]
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    assert [one for page in pages for one in page] == sorted(made, key=lambda one: (one.group, one.id))


async def test_iteration_may_stop_early_and_mix_with_reads(store: Store) -> None:
    async with store.transaction() as transaction:
        for row_id in "abc":
            await transaction.rows.put(row(row_id))
        async for found in transaction.rows.all():
            assert await transaction.rows.get(found.id) == found
            await transaction.rows.withdraw(found.id, NOW)
            if found.id == "b":
                break
        assert [found.id async for found in transaction.rows.all()] == ["c"]


async def test_changed_rows_and_rows_of_groups_are_found(store: Store) -> None:
    def row_at(row_id: str, minute: int, group: str, category: str) -> Row:
        changes = {"group": group, "settled_at": NOW + timedelta(minutes=minute)}
        return row(row_id, category=category).model_copy(update=changes)

    earlier, later, lone = row_at("c1", 0, "g", "hr"), row_at("c2", 1, "g", "it"), row_at("c3", 2, "h", "it")
    async with store.transaction() as transaction:
        for each in (later, lone, earlier):
            await transaction.rows.put(each)
        assert await transaction.rows.in_groups(["h", "none"]) == [lone]
        assert await transaction.rows.in_groups(["h", "g"]) == [earlier, later, lone]
        assert await transaction.rows.in_groups([]) == []
        await transaction.rows.withdraw("c1", NOW + timedelta(minutes=3))
        assert await transaction.rows.in_groups(["h", "g"]) == [later, lone]
        since = NOW + timedelta(minutes=2)
        assert [(r.id, counts) async for r, counts in transaction.rows.changed(since)] == [("c3", True), ("c1", False)]
        assert [r.id async for r, _ in transaction.rows.changed(None)] == ["c2", "c3", "c1"]
        assert [await transaction.rows.count_changed(one) for one in (since, None)] == [2, 3]


async def test_changes_beside_known_ones_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "ROWS_IN_MEMORY", 2)
    written = [row(f"q{n}").model_copy(update={"settled_at": NOW + timedelta(minutes=n)}) for n in range(6)]
    known = {one.id: one.settled_at for one in written[:-1]}
    again = written[4].model_copy(update={"settled_at": NOW + timedelta(minutes=9)})
    async with store.transaction() as transaction:
        await transaction.rows.put(*written)
        await transaction.rows.withdraw("q1", written[1].settled_at)
        await transaction.rows.put(again)
        found = [one async for one in transaction.rows.changed_beside(known, NOW)]
        assert found == [(written[1], False), (written[5], True), (again, True)]
        assert [one async for one in transaction.rows.changed_beside(known, again.settled_at)] == [(again, True)]


async def test_changes_are_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "ROWS_IN_MEMORY", 2)
    async with store.transaction() as transaction:
        for n in range(5):
            await transaction.rows.put(row(f"q{n}"))
        assert [r.id async for r, _ in transaction.rows.changed(None)] == [f"q{n}" for n in range(5)]
