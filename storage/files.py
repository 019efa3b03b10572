"""Files by name, kept in the database so that all replicas share them."""

import hashlib

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.tables import files
from storage.upserts import upsert


class DamagedFile(Exception):  # noqa: N818 - reads as what happened
    """A stored file whose content no longer matches its sha256."""


class SqlShelf:
    """The table `files`, with each file in one value.

    This is good for files of a few hundred megabytes. SQLite's limit is 1 GB; PostgreSQL's limit on a value that is
    sent is about half of that.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, name: str, data: bytes) -> None:
        values = {"name": name, "sha256": _sha256(data), "data": data, "updated_at": func.now()}
        await upsert(self._connection, files, values)

    async def get(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            KeyError: There is no file of this name.
            DamagedFile: The content does not match the sha256 that was stored with it.
        """
        query = select(files.c.sha256, files.c.data).where(files.c.name == name)
        found = (await self._connection.execute(query)).one_or_none()
        if found is None:
            raise KeyError(name)
        if _sha256(found.data) != found.sha256:
            raise DamagedFile(f"the file {name} does not match its sha256; store it again")
        return bytes(found.data)

    async def delete(self, name: str) -> bool:
        return (await self._connection.execute(delete(files).where(files.c.name == name))).rowcount > 0

    async def names(self, prefix: str) -> list[str]:
        # Not LIKE: it treats % and _ as wildcards, and SQLite's ignores case.
        has_prefix = func.substr(files.c.name, 1, len(prefix)) == prefix
        query = select(files.c.name).where(has_prefix).order_by(files.c.name)
        return list((await self._connection.execute(query)).scalars())


class DatabaseShelf:
    """The same files for who has no transaction: each method opens its own, so do not call it within one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, data: bytes) -> None:
        async with self._database.begin() as connection:
            await SqlShelf(connection).put(name, data)

    async def get(self, name: str) -> bytes:
        """Return the content of a file; raises what `SqlShelf.get` raises."""
        async with self._database.begin() as connection:
            return await SqlShelf(connection).get(name)

    async def delete(self, name: str) -> bool:
        async with self._database.begin() as connection:
            return await SqlShelf(connection).delete(name)

    async def names(self, prefix: str) -> list[str]:
        async with self._database.begin() as connection:
            return await SqlShelf(connection).names(prefix)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
