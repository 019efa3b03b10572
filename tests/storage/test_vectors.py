"""Vectors of texts and their cost, on both databases."""

from datetime import timedelta

from bot.ports import Store
from tests.storage.things import NOW


async def test_vectors_are_stored_by_model_and_hash(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.vectors.put("a/m", {"h1": b"\x00\x01", "h2": b"2"}, NOW)
        await tx.vectors.put("b/m", {"h1": b"b"}, NOW)
        await tx.vectors.put("a/m", {"h2": b"3"}, NOW)
    async with store.transaction() as tx:
        assert await tx.vectors.get("a/m", ["h1", "h2", "h3"], NOW) == {"h1": b"\x00\x01", "h2": b"3"}
        assert await tx.vectors.get("b/m", ["h1", "h2"], NOW) == {"h1": b"b"}
        assert await tx.vectors.get("c/m", ["h1"], NOW) == {}
        await tx.vectors.put("a/m", {}, NOW)


async def test_least_recently_used_vectors_are_pruned(store: Store) -> None:
    later = NOW + timedelta(days=30)
    async with store.transaction() as tx:
        for n in range(6):
            await tx.vectors.put("a/m", {f"h{n}": b"x"}, NOW + timedelta(seconds=n))
        assert await tx.vectors.prune(6) == 0
        await tx.vectors.get("a/m", ["h0"], later)
        assert await tx.vectors.prune(3) == 3
        assert set(await tx.vectors.get("a/m", [f"h{n}" for n in range(6)], later)) == {"h0", "h4", "h5"}


async def test_tokens_add_up_by_model_since_a_day(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.vectors.tokens(NOW) == {}
        for model, tokens, days in (("a/m", 5, 0), ("a/m", 7, 0), ("a/m", 2**33, 1), ("b/m", 1, 1), ("a/m", 100, -1)):
            await tx.vectors.spend(model, tokens, NOW + timedelta(days=days))
    async with store.transaction() as tx:
        assert await tx.vectors.tokens(NOW) == {"a/m": 12 + 2**33, "b/m": 1}
        assert await tx.vectors.tokens(NOW + timedelta(days=1)) == {"a/m": 2**33, "b/m": 1}
