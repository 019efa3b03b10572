"""Files by name, kept in the database so that all replicas share them."""

import hashlib

from sqlalchemy import delete, func, select

from storage.database import Database
from storage.tables import files
from storage.upserts import upsert


class DamagedFile(Exception):  # noqa: N818 - reads as what happened
    """What the database gave is not what was put."""


class DatabaseShelf:
    """The table `files`, a file in one value.

    That is good for some hundred megabytes a file: SQLite's limit is 1 GB, PostgreSQL's, as it is sent, about half.
    Each verb is a transaction of its own: not for use within one of the store's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, name: str, data: bytes) -> None:
        values = {"name": name, "sha256": _sha256(data), "data": data, "updated_at": func.now()}
        async with self._database.begin() as connection:
            await upsert(connection, files, values)

    async def get(self, name: str) -> bytes:
        """Raises KeyError where there is none, DamagedFile where its sha256 is not the one that was put."""
        async with self._database.begin() as connection:
            wanted = select(files.c.sha256, files.c.data).where(files.c.name == name)
            found = (await connection.execute(wanted)).one_or_none()
        if found is None:
            raise KeyError(name)
        if _sha256(found.data) != found.sha256:
            raise DamagedFile(f"the file {name} is not what was put on the shelf; put it again")
        return bytes(found.data)

    async def delete(self, name: str) -> bool:
        async with self._database.begin() as connection:
            return (await connection.execute(delete(files).where(files.c.name == name))).rowcount > 0

    async def names(self, prefix: str) -> list[str]:
        # Not LIKE: it takes % and _ for wildcards, and SQLite's does not tell a from A.
        begins = func.substr(files.c.name, 1, len(prefix)) == prefix
        async with self._database.begin() as connection:
            return list((await connection.execute(select(files.c.name).where(begins).order_by(files.c.name))).scalars())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
