"""The kept index: whose it is, and that it never outlives what is forgotten."""

from bot.ports import Store
from tests.storage.things import NOW


async def test_nothing_read_before_forgetting_is_kept(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.index_parts.put("me", {"part": b"1"}, None)
        assert await tx.index_parts.get("me") == {"part": b"1"}
        await tx.forgetting.moved(NOW)
        assert await tx.index_parts.get("me") == {}
        assert not await tx.index_parts.put("me", {"part": b"2"}, None)
        assert await tx.index_parts.get("me") == {}


async def test_index_of_other_code_is_replaced(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.index_parts.put("old", {"part": b"1", "other": b""}, None)
        assert await tx.index_parts.get("new") == {}
        await tx.index_parts.put("new", {"part": b"2"}, None)
        assert await tx.index_parts.get("old") == {}
        assert await tx.index_parts.get("new") == {"part": b"2"}
