"""Looks whose caller gives up while a thread still writes into the index."""

import asyncio
import random
import threading
from contextlib import suppress

import numpy as np
import pytest

from bot.similarity import neighbours as neighbours_module
from bot.similarity.index import Index
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import START, row
from tests.kits.near_texts import TEXTS, assert_same_looks, save

ROWS = [row(text, ["it", "labor"][n % 2], at=n, row_id=f"{n}") for n, text in enumerate(TEXTS)]
"""Forty rows, many of which are near-copies and in conflict."""


class HeldComparison:
    """Holds the first comparison of a text with all others until the test lets it go on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun, self._go_on = threading.Event(), threading.Event()
        beside = Index.beside

        def compare(index: Index, slot: int) -> set[int]:
            if not self.begun.is_set():
                self.begun.set()
                self._go_on.wait()
            return beside(index, slot)

        patch.setattr(Index, "beside", compare)

    def go_on(self) -> None:
        self._go_on.set()


async def test_cancelled_look_waits_for_its_thread(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await save(store, *ROWS)
    held, neighbours = HeldComparison(monkeypatch), RowNeighbours(store)
    given_up = asyncio.create_task(neighbours.near("有給"))
    await asyncio.to_thread(held.begun.wait)
    given_up.cancel()
    done, _ = await asyncio.wait([given_up], timeout=0.01)
    held.go_on()
    assert not done, "the next caller would write beside the thread"
    with suppress(asyncio.CancelledError):
        await given_up
    await assert_same_looks(neighbours, RowNeighbours(store), TEXTS)


async def test_changes_after_a_cancelled_rebuild_are_no_index(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question read what changed; then something was forgotten, and the read of all rows was cancelled."""
    await save(store, *ROWS)
    neighbours = RowNeighbours(store)
    await neighbours.refresh()
    async with store.transaction() as tx:
        changes = await neighbours.changes(tx)
        await tx.forgetting.moved(START)
    assert changes is not None
    given_up = asyncio.create_task(neighbours.refresh())
    CancellingComparisons(monkeypatch, "find").cancel(given_up, after=3)
    with suppress(asyncio.CancelledError):
        await given_up
    assert given_up.cancelled()
    await neighbours.same("有給", (), changes)
    await assert_same_looks(neighbours, RowNeighbours(store), TEXTS)


async def test_text_left_by_an_error_is_compared(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await save(store, *ROWS)
    neighbours, compare = RowNeighbours(store), Index.beside

    def fail_once(index: Index, slot: int) -> set[int]:
        if slot == 7:
            monkeypatch.setattr(Index, "beside", compare)
            raise MemoryError
        return compare(index, slot)

    monkeypatch.setattr(Index, "beside", fail_once)
    with pytest.raises(MemoryError):
        await neighbours.refresh()
    await assert_same_looks(neighbours, RowNeighbours(store), TEXTS)


async def test_nothing_is_proved_by_uncompared_texts(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours = RowNeighbours(store)
    numbers = await neighbours.numbered()

    def fail(_index: Index, _slot: int) -> set[int]:
        raise MemoryError

    monkeypatch.setattr(Index, "beside", fail)
    with pytest.raises(MemoryError):
        await numbers.add(["有給"])
    nothing = np.zeros(0, np.bool_)
    with pytest.raises(RuntimeError, match="0 of 1 texts"):
        await numbers.near(nothing, numbers, nothing)


async def look(neighbours: RowNeighbours, kind: str, text: str) -> None:
    """Look in a way that writes into the index."""
    match kind:
        case "near":
            await neighbours.near(text)
        case "apart":
            await neighbours.nearest_apart([row(text)], 3)
        case "likenesses":
            await neighbours.likenesses([text], [True])
        case "groups":
            await neighbours.groups([text, f"{text} 2"])
        case "contested":
            await neighbours.contested([row(text)])
        case "repeated":
            await neighbours.repeated(text)
        case _:
            await (await neighbours.numbered()).add([text])


class CancellingComparisons:
    """Cancels looks while a thread compares a text. The thread then waits a moment for others that write beside it."""

    def __init__(self, patch: pytest.MonkeyPatch, at: str = "beside") -> None:
        self._left: int | None = None
        self._task: asyncio.Task[None] | None = None
        loop, compare, begun = asyncio.get_running_loop(), getattr(Index, at), threading.Event()

        def cancel_and_compare(index: Index, text: object) -> object:
            begun.set()
            task, left = self._task, self._left
            if task and left is not None:
                self._left = left - 1 if left else None
                if not left:
                    begun.clear()
                    loop.call_soon_threadsafe(task.cancel)
                    begun.wait(0.03)
            return compare(index, text)

        patch.setattr(Index, at, cancel_and_compare)

    def cancel(self, task: asyncio.Task[None], after: int) -> None:
        """Cancel a task once so many texts were compared."""
        self._task, self._left = task, after


KINDS = ["near", "apart", "likenesses", "groups", "contested", "repeated", "numbered"]


@pytest.mark.parametrize("seed", range(3))
async def test_index_after_cancelled_looks_equals_a_rebuild(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Callers give up after some comparisons of a text, or after some turns of the event loop."""
    chosen = random.Random(seed)
    monkeypatch.setattr(neighbours_module, "ROWS_APPLIED", 7)
    await save(store, *ROWS)
    comparisons, neighbours = CancellingComparisons(monkeypatch), RowNeighbours(store)
    for _ in range(6):
        task = asyncio.create_task(look(neighbours, chosen.choice(KINDS), chosen.choice(TEXTS)))
        comparisons.cancel(task, after=chosen.randrange(12))
        if chosen.random() < 0.5:
            for _ in range(chosen.randrange(30)):
                await asyncio.sleep(0)
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await assert_same_looks(neighbours, RowNeighbours(store), TEXTS)
