"""An index that is kept in the database, and from which another process goes on."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.domain.dataset import Row
from bot.similarity import neighbours as neighbours_module
from bot.similarity.meanings import BATCH
from bot.similarity.neighbours import LATE_COMMIT, RowNeighbours
from storage.database import Database
from storage.store import SqlStore
from tests.bot.conftest import Fresh
from tests.bot.things import START, row
from tests.kits.marked_store import places_of

LATE = int(LATE_COMMIT.total_seconds())

words = st.sampled_from(["有給", "申請", "パスワード", "vpn", "password", "pasword", "12", "の", "please", "how", "？"])
texts = st.lists(words, max_size=8).map(" ".join) | st.text(max_size=12)


class MeaningEncoder:
    """An encoder that knows one meaning in two languages, and what it encoded."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += texts
        known = [[1.0, 0.0] if "休み" in text or "vacation" in text else [0.0, 1.0] for text in texts]
        return np.array(known, dtype=np.float32)


async def put(store: SqlStore, *rows: Row) -> None:
    async with store.transaction() as tx:
        await tx.rows.put(*rows)


@pytest.fixture(autouse=True)
def _keep_few_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours_module, "KEPT_FROM", 1)


async def test_new_process_goes_on_from_kept_index(store: SqlStore) -> None:
    running = RowNeighbours(store)
    await put(store, row("PCが遅い", at=LATE + 60))
    await running.keep()
    await put(store, row("有給は？", at=59), row("VPNにつながらない", at=LATE + 61))
    new = RowNeighbours(store)
    assert [one.text for one in await new.near("PCが遅い")] == ["PCが遅い"]
    assert len(await new.near("VPNにつながらない")) == 1
    assert await new.near("有給は？") == [], "an older row than the overlap was read, and so was everything"


@settings(max_examples=4, deadline=None)
@given(st.data())
def test_new_process_equals_the_running_one(fresh: Fresh, data: st.DataObject) -> None:
    async def run_history() -> None:
        database = Database(fresh())
        store, at = SqlStore(database), 0
        running = RowNeighbours(store)
        try:
            for _ in range(data.draw(st.integers(1, 6))):
                at += data.draw(st.integers(0, 8))
                row_id, text = data.draw(st.sampled_from("abcd")), data.draw(texts)
                if data.draw(st.booleans()):
                    await put(store, row(text, data.draw(st.sampled_from(["it", "labor"])), at=at, row_id=row_id))
                else:
                    async with store.transaction() as tx:
                        await tx.rows.withdraw(row_id, START + timedelta(seconds=at))
                if data.draw(st.booleans()):
                    await running.keep()
                asked, new = data.draw(texts), RowNeighbours(store)
                for one in (asked, text):
                    assert await new.near(one) == await running.near(one)
                    assert await new.same(one, ()) == await running.same(one, ())
                    assert await new.nearest(one, 3) == await running.nearest(one, 3)
                    assert await new.groups([one]) == await running.groups([one])
                    assert set(await new.repeated(one)) == set(await running.repeated(one))
                assert await new.conflicts() == await running.conflicts()
                assert new.pairs([text], [text, asked]) == running.pairs([text], [text, asked])
        finally:
            await database.close()

    asyncio.run(run_history())


async def test_kept_vectors_are_not_encoded_again(store: SqlStore) -> None:
    encoder = MeaningEncoder()
    await put(store, row("休みを取りたい", row_id="a"), row("ログインできない", row_id="b"))
    running = RowNeighbours(store, encoder=encoder, encoder_name="one")
    await running.nearest("vacation", 1)
    await running.keep()
    encoder.encoded.clear()
    again = RowNeighbours(store, encoder=encoder, encoder_name="one")
    assert [one.row_id for one in await again.nearest("vacation", 1)] == ["a"]
    assert encoder.encoded == ["vacation"]
    other = RowNeighbours(store, encoder=encoder, encoder_name="another")
    assert [one.row_id for one in await other.nearest("vacation", 1)] == ["a"]
    assert "ログインできない" in encoder.encoded


async def test_index_is_kept_before_any_vector(store: SqlStore) -> None:
    """An import keeps the index, and no program has encoded a text yet."""
    await put(store, row("休みを取りたい", row_id="a"), row("ログインできない", row_id="b"))
    await RowNeighbours(store, encoder=MeaningEncoder()).keep()
    again = RowNeighbours(store, encoder=MeaningEncoder())
    assert [one.row_id for one in await again.nearest("vacation", 1)] == ["a"]


async def test_kept_index_goes_with_what_is_forgotten(store: SqlStore, database: Database) -> None:
    running, word = RowNeighbours(store), "shibboleth"
    await put(store, row(f"Where is the {word}?"))
    await running.keep()
    assert {"rows.text", "files.data"} <= await places_of(database, word)
    async with store.transaction() as tx:
        await tx.forgetting.moved(START)
    assert "files.data" not in await places_of(database, word)


async def test_vectors_are_made_before_the_first_search(store: SqlStore) -> None:
    encoder = MeaningEncoder()
    neighbours = RowNeighbours(store, encoder=encoder)
    await put(store, *(row(f"休み {n}", row_id=f"{n}") for n in range(BATCH + 1)))
    await neighbours.refresh()
    await neighbours.encode()
    assert len(encoder.encoded) == BATCH + 1
    await neighbours.nearest("vacation", 1)
    assert encoder.encoded[BATCH + 1 :] == ["vacation"]
