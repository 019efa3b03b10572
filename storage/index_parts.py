"""The index of rows, kept for the next start."""

import hashlib
from collections.abc import Mapping

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.forgetting import FORGOTTEN_CURSOR
from storage.cursors import SqlCursors
from storage.locks import Lock, acquire_lock
from storage.tables import files

INDEX = "index/"
"""Beginning of the names of the parts among the files."""


class SqlIndexParts:
    """Parts of the index in the table `files`. They hold texts of rows, so whatever is forgotten takes all of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, maker: str) -> dict[str, bytes]:
        beginning = f"{INDEX}{maker}/"
        query = select(files.c.name, files.c.data, files.c.sha256).where(files.c.name.startswith(beginning))
        found = (await self._connection.execute(query)).all()
        if any(hashlib.sha256(one.data).hexdigest() != one.sha256 for one in found):
            return {}
        return {one.name.removeprefix(beginning): bytes(one.data) for one in found}

    async def put(self, maker: str, parts: Mapping[str, bytes | memoryview], forgotten: str | None) -> bool:
        await acquire_lock(self._connection, Lock.INDEX)
        if await SqlCursors(self._connection).get(FORGOTTEN_CURSOR) != forgotten:
            return False
        await delete_index(self._connection)
        values = [
            {"name": f"{INDEX}{maker}/{name}", "sha256": hashlib.sha256(data).hexdigest(), "data": data}
            for name, data in parts.items()
        ]
        for one in values:
            await self._connection.execute(insert(files).values(one | {"updated_at": func.now()}))
        return True


async def delete_index(connection: AsyncConnection) -> None:
    """Delete all parts, whoever made them."""
    await connection.execute(delete(files).where(files.c.name.startswith(INDEX)))
