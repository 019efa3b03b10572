"""Vectors of texts from an embedding model, and the tokens that they cost."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.tables import embedding_tokens, embeddings
from storage.upserts import add_up, upsert

USE_NOTED_AFTER = timedelta(days=1)
"""Age of the last noted use at which a new use is written, so that most reads write nothing."""


class SqlVectors:
    """The tables `embeddings` and `embedding_tokens`. The texts themselves are not in them, only their hashes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, model: str, hashes: Collection[str], now: datetime) -> dict[str, bytes]:
        mine = embeddings.c.model == model, embeddings.c.text_hash.in_(hashes)
        rows = (await self._connection.execute(select(embeddings).where(*mine))).all()
        if old := [row.text_hash for row in rows if now - row.used_at > USE_NOTED_AFTER]:
            used = update(embeddings).where(embeddings.c.model == model, embeddings.c.text_hash.in_(old))
            await self._connection.execute(used.values(used_at=now))
        return {row.text_hash: bytes(row.vector) for row in rows}

    async def put(self, model: str, vectors: Mapping[str, bytes], now: datetime) -> None:
        values = [
            {"model": model, "text_hash": key, "vector": vector, "used_at": now} for key, vector in vectors.items()
        ]
        await upsert(self._connection, embeddings, *sorted(values, key=lambda one: str(one["text_hash"])))

    async def prune(self, most: int) -> int:
        newest = select(embeddings.c.used_at).order_by(embeddings.c.used_at.desc()).offset(most).limit(1)
        limit = (await self._connection.execute(newest)).scalar()
        if limit is None:
            return 0
        return (await self._connection.execute(delete(embeddings).where(embeddings.c.used_at <= limit))).rowcount

    async def spend(self, model: str, tokens: int, now: datetime) -> None:
        values = {"model": model, "day": now.date().isoformat(), "tokens": tokens}
        await add_up(self._connection, embedding_tokens, values, "tokens")

    async def tokens(self, since: datetime) -> dict[str, int]:
        query = (
            select(embedding_tokens.c.model, func.sum(embedding_tokens.c.tokens))
            .where(embedding_tokens.c.day >= since.date().isoformat())
            .group_by(embedding_tokens.c.model)
            .order_by(embedding_tokens.c.model)
        )
        return {model: int(tokens) for model, tokens in await self._connection.execute(query)}
