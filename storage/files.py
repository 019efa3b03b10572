"""Files by name, kept in the database so that all replicas share them."""

import hashlib

from sqlalchemy import delete, func, select

from storage.database import Database
from storage.tables import files
from storage.upserts import upsert


class DamagedFile(Exception):  # noqa: N818 - reads as what happened
    """A stored file whose content no longer matches its sha256."""


class DatabaseShelf:
    """The table `files`, with each file in one value.

    This is good for files of a few hundred megabytes. SQLite's limit is 1 GB; PostgreSQL's limit on a value that is
    sent is about half of that. Each method opens its own transaction, so do not call it within one of the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, data: bytes) -> None:
        values = {"name": name, "sha256": _sha256(data), "data": data, "updated_at": func.now()}
        async with self._database.begin() as connection:
            await upsert(connection, files, values)

    async def get(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            KeyError: There is no file of this name.
            DamagedFile: The content does not match the sha256 that was stored with it.
        """
        async with self._database.begin() as connection:
            query = select(files.c.sha256, files.c.data).where(files.c.name == name)
            found = (await connection.execute(query)).one_or_none()
        if found is None:
            raise KeyError(name)
        if _sha256(found.data) != found.sha256:
            raise DamagedFile(f"the file {name} does not match its sha256; store it again")
        return bytes(found.data)

    async def delete(self, name: str) -> bool:
        async with self._database.begin() as connection:
            return (await connection.execute(delete(files).where(files.c.name == name))).rowcount > 0

    async def names(self, prefix: str) -> list[str]:
        # Not LIKE: it treats % and _ as wildcards, and SQLite's ignores case.
        has_prefix = func.substr(files.c.name, 1, len(prefix)) == prefix
        query = select(files.c.name).where(has_prefix).order_by(files.c.name)
        async with self._database.begin() as connection:
            return list((await connection.execute(query)).scalars())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
