"""The index of rows, kept for the next start."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.forgetting import FORGOTTEN_CURSOR
from bot.domain.uncancelled import in_thread
from storage.cursors import SqlCursors
from storage.locks import Lock, acquire_lock
from storage.tables import files
from storage.upserts import upsert

INDEX = "index/"
"""Beginning of the names of what is kept. `<maker>` names the version to read, `<maker>/<version>/…` are its pieces."""
DELETED_AT_ONCE = 4
"""Most pieces that one statement deletes, because SQLite overwrites them on the event loop."""

DROPPED_AT_ONCE = 32
"""Most pieces (8 MB) that one step of a forgetting deletes: answers and presses on SQLite wait for it."""

_PIECES = (
    select(files.c.data, files.c.sha256)
    .where(files.c.name.in_(bindparam("names", expanding=True)))
    .order_by(files.c.name)
)


class SqlIndexParts:
    """Parts of the index in the table `files`. They hold texts of rows, so whatever is forgotten takes all of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, maker: str) -> dict[str, bytes]:
        version, count = await self._head(maker)
        beginning = f"{INDEX}{maker}/{version}/"
        query = select(files.c.name).where(files.c.name.startswith(beginning)).order_by(files.c.name)
        names = [*(await self._connection.execute(query)).scalars()] if version else []
        if len(names) != count:
            return {}
        parts: dict[str, bytes] = {}
        # One part after the other: of all together, the driver would hold a second copy, and PostgreSQL's a third one.
        for part, pieces in groupby(names, lambda name: name.removeprefix(beginning).rpartition("/")[0]):
            wanted = [*pieces]
            found = (await self._connection.execute(_PIECES, {"names": wanted})).all()
            joined = await in_thread(_joined, found)
            if joined is None or len(found) != len(wanted):  # whoever keeps a newer one may have deleted some meanwhile
                return {}
            parts[part] = joined
        return parts

    async def put(
        self, maker: str, version: str, pieces: Mapping[tuple[str, int], bytes | memoryview], forgotten: str | None
    ) -> bool:
        if not await self._may_keep(forgotten):
            return False
        for (part, number), data in pieces.items():
            name = f"{INDEX}{maker}/{version}/{part}/{number:06}"
            await self._connection.execute(insert(files).values(_values(name, data)))
            await asyncio.sleep(0)
        return True

    async def finish(self, maker: str, version: str, count: int, forgotten: str | None) -> bool:
        of_version = files.c.name.startswith(f"{INDEX}{maker}/{version}/")
        query = select(func.count()).select_from(files).where(of_version)
        # Another process that kept its own meanwhile may have deleted some.
        if not await self._may_keep(forgotten) or (await self._connection.execute(query)).scalar_one() != count:
            return False
        await upsert(self._connection, files, _values(f"{INDEX}{maker}", f"{version} {count}".encode()))
        return True

    async def drop_older(self, maker: str, version: str) -> bool:
        await acquire_lock(self._connection, Lock.INDEX)
        if (await self._head(maker))[0] != version:  # whoever replaced it also deletes the rest
            return False
        head = f"{INDEX}{maker}"
        return await _delete_some(
            self._connection, files.c.name != head, ~files.c.name.startswith(f"{head}/{version}/")
        )

    async def drop_some(self) -> bool:
        await acquire_lock(self._connection, Lock.INDEX)
        return await delete_index(self._connection, DROPPED_AT_ONCE)

    async def _may_keep(self, forgotten: str | None) -> bool:
        """Return whether nothing was forgotten since the rows were read. Nothing is until the transaction ends."""
        await acquire_lock(self._connection, Lock.INDEX)
        return await SqlCursors(self._connection).get(FORGOTTEN_CURSOR) == forgotten

    async def _head(self, maker: str) -> tuple[str, int]:
        """Return the version that is read, and how many pieces it has."""
        query = select(files.c.data).where(files.c.name == f"{INDEX}{maker}")
        found = (await self._connection.execute(query)).scalar()
        version, _, count = bytes(found or b"").decode().partition(" ")
        return version, int(count or 0)


async def delete_index(connection: AsyncConnection, most: int | None = None) -> bool:
    """Delete all pieces, or not many more than `most`, whoever made them; return whether there may be more."""
    more, deleted = True, 0
    while more and (most is None or deleted < most):
        more = await _delete_some(connection)
        deleted += DELETED_AT_ONCE
    return more


async def _delete_some(connection: AsyncConnection, *conditions: Any) -> bool:
    """Delete a few of the kept pieces for which these conditions hold; return whether there may be more."""
    query = select(files.c.name).where(files.c.name.startswith(INDEX), *conditions).limit(DELETED_AT_ONCE)
    names = [*(await connection.execute(query)).scalars()]
    if names:
        await connection.execute(delete(files).where(files.c.name.in_(names)))
        await asyncio.sleep(0)
    return len(names) == DELETED_AT_ONCE


def _values(name: str, data: bytes | memoryview) -> dict[str, Any]:
    return {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "data": data, "updated_at": func.now()}


def _joined(found: Sequence[Any]) -> bytes | None:
    """Return a part, joined from its pieces; None if any of them is damaged."""
    if any(hashlib.sha256(one.data).hexdigest() != one.sha256 for one in found):
        return None
    return b"".join(one.data for one in found)
