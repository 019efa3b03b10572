"""The kept index: whose it is, that it is written in pieces, and that it never outlives what is forgotten."""

from typing import Any, cast

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import Store
from bot.similarity.kept import PIECE_BYTES, PIECES_AT_ONCE, maker, store_parts
from storage.database import Database
from storage.index_parts import SqlIndexParts
from storage.tables import files
from tests.storage.things import NOW

PARTS = {"long": bytes(range(256)) * (PIECE_BYTES // 100), "long.er": b"1", "empty": b""}


async def kept_parts(store: Store, maker: str = "me") -> dict[str, bytes]:
    async with store.snapshot() as tx:
        return await tx.index_parts.get(maker)


async def names(database: Database) -> list[str]:
    async with database.begin() as connection:
        return [*(await connection.execute(select(files.c.name).where(files.c.name.startswith("index/")))).scalars()]


async def test_index_is_kept_in_small_pieces(store: Store, database: Database) -> None:
    assert await store_parts(store, PARTS, None)
    assert await kept_parts(store, maker()) == PARTS
    async with database.begin() as connection:
        sizes = [len(data) for data in (await connection.execute(select(files.c.data))).scalars()]
    assert len(sizes) > PIECES_AT_ONCE
    assert max(sizes) == PIECE_BYTES


async def test_newer_index_replaces_the_kept_one(store: Store, database: Database) -> None:
    await store_parts(store, PARTS, None)
    assert await store_parts(store, {"part": b"2"}, None)
    assert await kept_parts(store, maker()) == {"part": b"2"}
    assert len(await names(database)) == 2


async def test_unfinished_index_is_not_read(store: Store) -> None:
    await store_parts(store, {"part": b"1"}, None)
    async with store.transaction() as tx:
        assert await tx.index_parts.put(maker(), "newer", {("part", 0): b"2"}, None)
    assert await kept_parts(store, maker()) == {"part": b"1"}
    async with store.transaction() as tx:
        assert not await tx.index_parts.finish(maker(), "newer", 2, None), "a piece is missing"
    assert await kept_parts(store, maker()) == {"part": b"1"}


async def test_damaged_index_is_not_read(store: Store, database: Database) -> None:
    await store_parts(store, PARTS, None)
    async with database.begin() as connection:
        one = files.c.name.endswith("/long/000001")
        assert (await connection.execute(update(files).where(one).values(data=b"0"))).rowcount == 1
    assert await kept_parts(store, maker()) == {}


class LosingPieces:
    """A connection on which a piece is deleted after the names of all were read."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        if "names" in (parameters or {}):
            await self._connection.execute(delete(files).where(files.c.name.endswith("/long/000001")))
        return await self._connection.execute(statement, parameters)


async def test_index_that_loses_a_piece_is_not_read(store: Store, database: Database) -> None:
    await store_parts(store, PARTS, None)
    async with database.begin() as connection:
        assert await SqlIndexParts(connection).get(maker()) == PARTS
        assert await SqlIndexParts(cast("AsyncConnection", LosingPieces(connection))).get(maker()) == {}


async def test_nothing_read_before_forgetting_is_kept(store: Store, database: Database) -> None:
    await store_parts(store, PARTS, None)
    async with store.transaction() as tx:
        assert await tx.index_parts.put(maker(), "newer", {("part", 0): b"2"}, None)
    async with store.transaction() as tx:
        await tx.forgetting.moved(NOW)
    assert await names(database) == []
    assert not await store_parts(store, PARTS, None)
    async with store.transaction() as tx:
        assert not await tx.index_parts.finish(maker(), "newer", 0, None)
    assert await names(database) == []


async def test_whole_index_is_dropped_bit_by_bit(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no answer waits for a forgetting until a large index is overwritten."""
    monkeypatch.setattr("storage.index_parts.DROPPED_AT_ONCE", 4)
    await store_parts(store, {f"part{n}": b"1" for n in range(9)}, None)
    left = []
    for _ in range(3):
        async with store.transaction() as tx:
            more = await tx.index_parts.drop_some()
        left.append((more, len(await names(database))))
    assert left == [(True, 6), (True, 2), (False, 0)]


async def test_index_of_other_code_is_replaced(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.index_parts.put("old", "1", {("part", 0): b"1"}, None)
        assert await tx.index_parts.finish("old", "1", 1, None)
    assert await kept_parts(store, "old") == {"part": b"1"}
    assert await kept_parts(store, maker()) == {}
    assert await store_parts(store, {"part": b"2"}, None)
    assert await kept_parts(store, "old") == {}
    assert await kept_parts(store, maker()) == {"part": b"2"}
