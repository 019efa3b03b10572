"""Storage for everything that must outlive the process: files, jobs, events and trained models."""

import asyncio
import os
import re
from pathlib import Path
from typing import Protocol

from bot.embedded.leftovers import delete_leftovers, held_file

_TEMPORARY = ".writing-"
"""The prefix of a file that is not yet whole; no name of a shelf begins so."""
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


_LONGEST_NAME = 200
"""Most characters of a name; file systems take 255 bytes for each part of a path."""


class ArtifactShelf(Protocol):
    """Storage of named bytes; a write by one process is visible to all others at once.

    Names are paths of letters, digits, `.`, `_`, `-` and `/`.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Store the bytes under the name atomically, replacing any earlier bytes."""

    async def get(self, name: str) -> bytes:
        """Return the bytes.

        Raises:
            KeyError: Nothing is stored under the name.
        """

    async def delete(self, name: str) -> bool:
        """Delete the bytes; return False if there were none."""

    async def names(self, prefix: str) -> list[str]:
        """Return the names that start with the prefix, sorted."""


class FolderShelf:
    """A shelf in a folder, which is created by the first write.

    `put`, `get` and `delete` raise ValueError for a name that is not a plain relative path.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        delete_leftovers(self._folder, f"**/{_TEMPORARY}*")

    async def put(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._put, self._path(name), data)

    async def get(self, name: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except FileNotFoundError as error:
            raise KeyError(name) from error

    async def delete(self, name: str) -> bool:
        try:
            await asyncio.to_thread(self._path(name).unlink)
        except FileNotFoundError:
            return False
        return True

    async def names(self, prefix: str) -> list[str]:
        return await asyncio.to_thread(self._names, prefix)

    def _path(self, name: str) -> Path:
        if len(name) > _LONGEST_NAME or not _SAFE.fullmatch(name):
            words = f"up to {_LONGEST_NAME} letters, digits, '.', '_', '-' and '/'"
            raise ValueError(f"Invalid shelf name: {name[:_LONGEST_NAME]!r}. Use {words}.")
        return self._folder / name

    def _names(self, prefix: str) -> list[str]:
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file())
        return sorted(name for name in found if name.startswith(prefix) and _SAFE.fullmatch(name))

    @staticmethod
    def _put(path: Path, data: bytes) -> None:
        for folder in reversed(path.parents):  # nobody else may replace a model
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        with held_file(path.parent, _TEMPORARY) as temporary:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
