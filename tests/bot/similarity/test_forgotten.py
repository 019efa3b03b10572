"""An index after a forgetting: nothing of the forgotten texts, and no comparison of the others."""

import gc
import random
from datetime import timedelta

import pytest

from bot.domain.dataset import Row
from bot.domain.forgetting import Scope
from bot.similarity.index import Index
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import START, row
from tests.kits.near_texts import TEXTS, assert_same_looks, save

SAME_LETTERS = ["re set form 10 40", "reset form 1040", "reset form 1040 today", "re set form 10 40 today"]


async def forget_before(store: SqlStore, seconds: int) -> None:
    """Forget all rows that were settled so soon after START."""
    moment = START + timedelta(seconds=seconds)
    async with store.transaction() as tx:
        while (await tx.forgetting.erase(Scope.before(moment), 50, START)).counts.get("rows"):
            pass
        await tx.forgetting.moved(START)


def shuffled(seed: int) -> list[Row]:
    texts = [*TEXTS, *SAME_LETTERS]
    random.Random(seed).shuffle(texts)
    return [row(text, ["it", "labor"][n % 2], at=n, row_id=f"{n}") for n, text in enumerate(texts)]


@pytest.mark.parametrize("seed", range(3))
async def test_index_after_a_forgetting_equals_a_rebuild(store: SqlStore, seed: int) -> None:
    rows = shuffled(seed)
    neighbours = RowNeighbours(store)
    await save(store, *rows[:20])
    await neighbours.contested(rows[30:34])  # texts without a row, in another order
    await save(store, *rows[20:40])
    await neighbours.refresh()
    await forget_before(store, 12)
    await save(store, *(one.model_copy(update={"settled_at": START}) for one in rows[40:]))
    await neighbours.refresh()
    await assert_same_looks(neighbours, RowNeighbours(store), [one.text for one in rows])


async def test_remaining_rows_are_not_compared_again(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours, compared, beside = RowNeighbours(store), list[int](), Index.beside
    await save(store, *(one for one in shuffled(0) if one.text in TEXTS))
    await neighbours.refresh()
    await forget_before(store, 12)

    def note(index: Index, slot: int) -> set[int]:
        compared.append(slot)
        return beside(index, slot)

    monkeypatch.setattr(Index, "beside", note)
    await neighbours.refresh()
    assert compared == []


async def test_no_forgotten_word_stays_in_memory(store: SqlStore) -> None:
    neighbours = RowNeighbours(store)
    await save(store, row("where is the shibboleth", at=1), row("the wifi is slow", at=9))
    await neighbours.refresh()
    await forget_before(store, 5)
    assert any(index.knows("shibboleth") for index in indexes())
    await neighbours.refresh()
    assert not any(index.knows("shibboleth") for index in indexes())
    assert await neighbours.near("where is the shibboleth") == []


def indexes() -> list[Index]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Index)]
