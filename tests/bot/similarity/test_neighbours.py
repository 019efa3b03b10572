"""Near-copies of texts, and an index that follows the rows of the store."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.dataset import Row, Split, group_of, normalised, split_of
from bot.domain.similar import FAR, NEAR, content, share
from bot.ports import Transaction
from bot.similarity.index import Index
from bot.similarity.neighbours import LATE_COMMIT, RowNeighbours
from bot.similarity.packed import NumberedWords, slip
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import START, row
from tests.kits.near_texts import DIFFERENT, NEARLY_SAME


def near(one: str, other: str) -> bool:
    index = Index()
    index.slot(one)
    return bool(index.near(other))


@pytest.mark.parametrize(("one", "other"), NEARLY_SAME)
def test_rewordings_are_near(one: str, other: str) -> None:
    assert near(one, other)
    assert near(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_questions_are_not_near(one: str, other: str) -> None:
    assert not near(one, other)
    assert not near(other, one)


def test_slip_is_forgiven_in_long_words_only() -> None:
    assert slip("password", "pasword")
    assert slip("password", "passwrod")
    assert slip("パスワード", "パスワート")
    assert not slip("form", "from")
    assert not slip("12345", "12346")
    assert not slip("給与振込日", "賞与振込日")
    assert not slip("password", "passcodes")


# fmt: off
words = st.sampled_from([
    "有給", "申請", "パスワード", "vpn", "laptop", "password", "pasword", "passwrod", "12", "は", "の", "please",
    "ください", "how", "？", " ",
])
# fmt: on
texts = st.lists(words, max_size=8).map("".join) | st.lists(words, max_size=8).map(" ".join) | st.text(max_size=12)
sentences = st.lists(words, min_size=1, max_size=8).map(" ".join)
few_examples = settings(max_examples=30, deadline=None)


@few_examples
@given(texts, texts)
def test_nearness_is_symmetric_and_reflexive(one: str, other: str) -> None:
    assert content(one)
    assert near(one, one)
    assert near(one, other) == near(other, one)
    assert share(content(one), content(one), slip) == 1.0
    assert 0.0 <= share(content(one), content(other), slip) <= 1.0


@few_examples
@given(st.lists(texts, max_size=12), texts)
def test_near_finds_exactly_what_share_says(kept: list[str], asked: str) -> None:
    """`near` compares only texts with enough words in common, and still misses none."""
    index, first = Index(), dict[int, str]()
    for text in kept:
        first.setdefault(index.slot(text), text)
    expected = {slot for slot, text in first.items() if share(content(asked), content(text), slip) >= NEAR}
    same = {slot for slot, text in first.items() if normalised(text) == normalised(asked)}
    assert {slot for slot, _ in index.near(asked)} == expected | same
    assert all((other in index.beside(one)) == (one in index.beside(other)) for one in first for other in first)


@pytest.mark.parametrize("count", [44, 45, 50, 60])
def test_number_counts_as_ten_words(count: int) -> None:
    """A near text of 50 words may lack a number, although it may not lack ten words."""
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(count)]
    short, long = " ".join(words), " ".join([*words, "12"])
    kept = Index()
    kept.slot(short)
    kept.slot(long)
    again = Index()
    again.take(kept.parts())
    for index in (kept, again):
        assert index.beside(0) == ({1} if count >= 45 else set())
        assert index.beside(1) == ({0} if count >= 45 else set())


def test_text_is_found_once_its_words_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread looks for a text of the same letters meanwhile."""
    index, found, number = Index(), list[int | None](), NumberedWords.number

    def look_meanwhile(words: NumberedWords, word: str) -> int:
        found.append(index.find("有給は？"))
        return number(words, word)

    monkeypatch.setattr(NumberedWords, "number", look_meanwhile)
    index.slot("有給は")
    assert found == [None]
    assert index.find("有給は？") == 0


@few_examples
@given(st.lists(texts, max_size=8), st.lists(texts, max_size=8))
def test_pairs_equal_one_by_one_comparison(these: list[str], those: list[str]) -> None:
    neighbours = RowNeighbours(SqlStore(Database("sqlite:///never-opened.db")))
    one_by_one = [(i, j) for i, this in enumerate(these) for j, that in enumerate(those) if near(that, this)]
    assert neighbours.pairs(these, those) == one_by_one


@few_examples
@given(st.lists(texts, max_size=8), st.lists(texts, max_size=8), st.lists(texts, max_size=4))
def test_pairs_of_known_texts_equal_a_new_comparison(
    fresh: Fresh, these: list[str], those: list[str], others: list[str]
) -> None:
    async def check() -> None:
        database = Database(fresh())
        neighbours = RowNeighbours(SqlStore(database))
        compared = RowNeighbours(SqlStore(database)).pairs(these, those)
        await neighbours.contested([row(text, row_id=str(n)) for n, text in enumerate([*others, *those, *these])])
        assert neighbours.pairs(these, those) == compared
        await database.close()

    asyncio.run(check())


def plain_groups(settled: Sequence[Row], page: Sequence[str]) -> list[str]:
    """Return the group that each text joins, by the plain rule: its nearest near-copy among rows, else in the page."""
    rows, batch, groups = Index(), Index(), list[str]()
    joined: dict[int, str] = {}
    slots = [rows.slot(one.text) for one in settled]
    for text in page:
        near = dict(rows.near(text))
        found = [(-near[at], one.id, one.group) for at, one in zip(slots, settled, strict=True) if at in near]
        beside = batch.near(text)[:1]
        best = [(likeness, group) for likeness, _, group in sorted(found)[:1]]
        best += [(-likeness, joined[slot]) for slot, likeness in beside]
        groups.append(min(best, key=lambda one: one[0], default=(0.0, group_of(text)))[1])
        joined.setdefault(batch.slot(text), groups[-1])
    return groups


@few_examples
@given(st.lists(st.lists(sentences, min_size=2, max_size=6), min_size=1, max_size=4))
def test_groups_page_by_page_follow_the_plain_rule(fresh: Fresh, pages: list[list[str]]) -> None:
    async def check() -> None:
        database = Database(fresh())
        store = SqlStore(database)
        neighbours, settled = RowNeighbours(store), list[Row]()
        for page in pages:
            groups = await neighbours.groups(page)
            assert groups == plain_groups(settled, page)
            known = {one.id for one in settled}
            new = {
                group_of(text): row(text, row_id=group_of(text)).model_copy(update={"group": group})
                for text, group in zip(page, groups, strict=True)
                if group_of(text) not in known
            }
            await put(store, *new.values())
            settled += new.values()
        await database.close()

    asyncio.run(check())


def test_most_alike_texts_come_first() -> None:
    index = Index()
    asked = "How do I reset my laptop password"
    texts = [f"laptop {n} of the office" for n in range(300)] + ["reset the laptop", "reset laptop password", "lunch"]
    for text in texts:
        index.slot(text)
    ranked = [(texts[slot], similarity) for slot, similarity in index.alike(asked)]
    assert [text for text, _ in ranked[:2]] == ["reset laptop password", "reset the laptop"]
    assert ranked[0][1] >= NEAR > FAR >= ranked[1][1]
    assert [s for _, s in ranked] == sorted((s for _, s in ranked), reverse=True)
    assert len(ranked) == len(texts) - 1
    assert all(similarity > 0.0 for _, similarity in ranked)


@pytest.fixture
def neighbours(store: SqlStore) -> RowNeighbours:
    return RowNeighbours(store)


async def put(store: SqlStore, *rows: Row) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(*rows)


async def test_new_rows_of_both_splits_are_near(store: SqlStore, neighbours: RowNeighbours) -> None:
    assert await neighbours.near("有給は？") == []
    train = row("有給は何日前に申請？").model_copy(update={"split": Split.TRAIN})
    held_out = row("有給は何日前までに申請", row_id="q2").model_copy(update={"split": Split.HELD_OUT})
    await put(store, train)
    await put(store, held_out, row("PCが遅い"))
    found = await neighbours.near("有給は何日前までに申請！")
    assert [(one.row_id, one.similarity == 1.0) for one in found] == [("q2", True), (train.id, False)]
    assert all(one.similarity >= NEAR for one in found)


async def test_nearest_skips_contested_rows(store: SqlStore, neighbours: RowNeighbours) -> None:
    def settled(text: str, row_id: str, split: Split, category: str = "labor", group: str = "") -> Row:
        return row(text, category, row_id=row_id).model_copy(update={"split": split, "group": group or row_id})

    await put(
        store,
        settled("有給の申請はどこ", "a", Split.TRAIN),
        settled("有給の申請をしたい", "held", Split.HELD_OUT),
        settled("有給の日数は", "b", Split.TRAIN),
        settled("有給の繰り越し", "c", Split.TRAIN, "labor", "contested"),
        settled("有給って繰り越し", "d", Split.TRAIN, "it", "contested"),
        settled("PC", "e", Split.TRAIN),
    )
    found = await neighbours.nearest("有給の申請は？", 5)
    assert [one.row_id for one in found] == ["held", "a", "b"]
    assert [one.row_id for one in await neighbours.nearest("有給の申請は？", 1)] == ["held"]
    assert [one.row_id for one in await neighbours.nearest("有給の申請は？", 5, without={"a"})] == ["held", "b"]
    copy, other = row("有給の申請をしたい！", row_id="x"), settled("有給の日数は", "b", Split.TRAIN)
    apart = await neighbours.nearest_apart([copy, other], 5)
    assert [[one.row_id for one in found] for found in apart] == [["a", "b"], ["held", "a"]], "no near-copy is found"
    await put(store, settled("有給って繰り越し", "d", Split.TRAIN, "labor", "contested"))
    assert {one.row_id for one in await neighbours.nearest("有給の申請は？", 5)} == {"held", "a", "b", "c", "d"}


async def test_withdrawn_and_changed_rows_leave_the_index(store: SqlStore, neighbours: RowNeighbours) -> None:
    first = row("有給は何日前に申請？")
    await put(store, first)
    assert len(await neighbours.near(first.text)) == 1
    async with store.transaction() as tx:
        await tx.rows.withdraw(first.id, START + timedelta(seconds=5))
    assert await neighbours.near(first.text) == await neighbours.nearest(first.text, 1) == []
    assert await neighbours.groups(["有給は何日前までに申請ですか"]) == [first.group]
    await put(store, first.model_copy(update={"text": "PCが遅い", "settled_at": START + timedelta(seconds=9)}))
    assert await neighbours.groups(["有給は何日前までに申請ですか"]) == [group_of("有給は何日前までに申請ですか")]
    assert [one.text for one in await neighbours.near("PCが遅い")] == ["PCが遅い"]


class GatedStore(SqlStore):
    """A store that counts its snapshots; each waits for the gate before it ends."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.snapshots = 0
        self.reading, self.gate = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def snapshot(self, *, patient: bool = False) -> AsyncIterator[Transaction]:
        async with super().snapshot(patient=patient) as tx:
            self.snapshots += 1
            self.reading.set()
            yield tx
            await self.gate.wait()


async def test_searches_that_wait_share_one_read(database: Database) -> None:
    store = GatedStore(database)
    neighbours = RowNeighbours(store)
    async with store.transaction() as tx:
        await tx.rows.put(row("my laptop is broken", row_id="r1"))
    first = asyncio.create_task(neighbours.near("my laptop is broken"))
    await store.reading.wait()
    async with store.transaction() as tx:
        await tx.rows.put(row("the wifi is slow", row_id="r2"))
    later = [asyncio.create_task(neighbours.near("the wifi is slow")) for _ in range(5)]
    await asyncio.sleep(0)
    store.gate.set()
    assert [one.row_id for one in await first] == ["r1"]
    assert [[one.row_id for one in found] for found in await asyncio.gather(*later)] == [["r2"]] * 5
    assert store.snapshots == 2, "the read that ran when they asked may miss the row; the next one serves them all"


async def test_failed_read_serves_nobody_who_waits(database: Database) -> None:
    store = GatedStore(database)
    store.gate.set()
    neighbours = RowNeighbours(store)
    async with store.transaction() as tx:
        await tx.rows.put(row("my laptop is broken", row_id="r1"))
    searches = [asyncio.create_task(neighbours.near("my laptop is broken")) for _ in range(3)]
    await asyncio.sleep(0)
    searches[0].cancel()
    found = await asyncio.gather(*searches, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [[one.row_id for one in each] for each in found[1:] if not isinstance(each, BaseException)] == [["r1"]] * 2


async def test_late_row_of_another_replica_is_found(store: SqlStore, neighbours: RowNeighbours) -> None:
    await put(store, row("PCが遅い", at=60))
    assert len(await neighbours.near("PCが遅い")) == 1
    await put(store, row("有給は？", at=60 - int(LATE_COMMIT.total_seconds())))
    assert len(await neighbours.near("有給は？")) == 1


async def test_late_row_is_found_after_long_silence(store: SqlStore) -> None:
    """The earlier of two presses is committed after the later was read; then nothing happens for an hour."""
    now = 0.0
    neighbours = RowNeighbours(store, lambda: now)
    await put(store, row("PCが遅い", at=60))
    assert len(await neighbours.near("PCが遅い")) == 1
    await put(store, row("有給は？", at=59))
    now += 3600
    assert len(await neighbours.near("有給は？")) == 1


async def test_late_row_is_found_after_an_import(store: SqlStore) -> None:
    """A page of an import leaves out the overlap that was read a moment ago; the row came in between."""
    now = 0.0
    neighbours = RowNeighbours(store, lambda: now)
    await put(store, row("PCが遅い", at=60))
    await neighbours.refresh()
    now = 10.0
    await neighbours.refresh()
    await put(store, row("有給は？", at=59))
    now = 20.0
    await neighbours.groups(["鍵", "VPN"])
    now = 40.0
    assert len(await neighbours.near("有給は？")) == 1


async def test_settled_overlap_is_not_read_again(store: SqlStore) -> None:
    now = 0.0
    neighbours = RowNeighbours(store, lambda: now)
    await put(store, row("PCが遅い", at=60))
    for _ in range(3):
        await neighbours.refresh()
        now += LATE_COMMIT.total_seconds()
    await put(store, row("有給は？", at=59))
    assert await neighbours.near("有給は？") == [], "an older row than the overlap was read again"


async def test_written_row_is_followed_when_others_change_it(store: SqlStore, neighbours: RowNeighbours) -> None:
    await neighbours.refresh()
    written = row("PCが遅い", "it", at=5)
    await put(store, written)
    await neighbours.written([written])
    assert [one.category for one in await neighbours.near("PCが遅い")] == ["it"]
    await put(store, row("有給は？", at=4), row("PCが遅い", "other", at=6))
    assert [one.category for one in await neighbours.near("PCが遅い")] == ["other"]
    assert len(await neighbours.near("有給は？")) == 1


async def test_texts_join_groups_of_earlier_texts(store: SqlStore, neighbours: RowNeighbours) -> None:
    settled = row("有給は何日前に申請？").model_copy(update={"group": "g"})
    await put(store, settled)
    texts = ["PCが遅い", "有給は何日前までに申請ですか", "ＰＣが遅いです", "鍵"]
    assert await neighbours.groups(texts) == [group_of("PCが遅い"), "g", group_of("PCが遅い"), group_of("鍵")]


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_index_after_any_history_equals_a_rebuild(fresh: Fresh, data: st.DataObject) -> None:
    async def run_history() -> None:
        database = Database(fresh())
        store = SqlStore(database)
        kept, at = RowNeighbours(store), 0
        try:
            for _ in range(data.draw(st.integers(1, 12))):
                at += data.draw(st.integers(0, 8))
                row_id = data.draw(st.sampled_from("abc"))
                if data.draw(st.booleans()):
                    text, category = data.draw(texts), data.draw(st.sampled_from(["it", "labor"]))
                    written = row(text, category, at=at, row_id=row_id)
                    await put(store, written)
                    if data.draw(st.booleans()):
                        await kept.written([written])
                        at += 1  # nobody writes it again within the microsecond
                else:
                    async with store.transaction() as tx:
                        await tx.rows.withdraw(row_id, START + timedelta(seconds=at))
                asked = data.draw(texts)
                rebuilt = RowNeighbours(store)
                assert await kept.near(asked) == await rebuilt.near(asked)
                assert await kept.groups([asked]) == await rebuilt.groups([asked])
                both = [await one.nearest(asked, 3) for one in (kept, rebuilt)]
                assert sorted(one.similarity for one in both[0]) == sorted(one.similarity for one in both[1])
        finally:
            await database.close()

    asyncio.run(run_history())


def test_normalised_copies_share_group_and_split() -> None:
    assert normalised("有給は？") == normalised("有給は")
    assert split_of(group_of("有給は？")) is split_of(group_of("有給は"))


@pytest.mark.parametrize("kind", ["letters", "kana", "kanji", "words"])
def test_no_text_bloats_the_index(kind: str) -> None:
    """A run of 6,000 letters took 35 MB, and one of kana 71 MB."""
    first, count = {"letters": (97, 26), "kana": (0x3042, 80), "kanji": (0x4E00, 9_000), "words": (97, 26)}[kind]
    letters = [chr(first + (n * n * 7 + n * 13) % count) for n in range(6_000)]
    text = "".join(letters) if kind != "words" else " ".join("".join(letters[n : n + 9]) for n in range(0, 5_400, 9))
    index = Index()
    index.slot("有給は何日前")
    tracemalloc.start()
    slot = index.slot(text)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 3_000_000
    assert index.near(text) == [(slot, 1.0)]
