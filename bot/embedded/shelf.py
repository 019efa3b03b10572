"""Where the model keeps everything that must outlive the process: files, jobs, events, trained models."""

import asyncio
import os
import re
import tempfile
from pathlib import Path
from typing import Protocol

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ArtifactShelf(Protocol):
    """Named bytes; what one process puts, all others see at once.

    Names are paths of letters, digits, `.`, `_`, `-` and `/`.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Keep the bytes under the name, whole or not at all, in place of what was there."""

    async def get(self, name: str) -> bytes:
        """Return the bytes; raises KeyError if there are none under the name."""

    async def delete(self, name: str) -> bool:
        """Take the bytes away; False if there were none."""

    async def names(self, prefix: str) -> list[str]:
        """Return the names that start with the prefix, sorted."""


class FolderShelf:
    """A shelf in a folder, made when first used. Raises ValueError for a name that is not a plain relative path."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)

    async def put(self, name: str, data: bytes) -> None:
        await asyncio.to_thread(self._put, self._path(name), data)

    async def get(self, name: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(name).read_bytes)
        except FileNotFoundError as absent:
            raise KeyError(name) from absent

    async def delete(self, name: str) -> bool:
        try:
            await asyncio.to_thread(self._path(name).unlink)
        except FileNotFoundError:
            return False
        return True

    async def names(self, prefix: str) -> list[str]:
        return await asyncio.to_thread(self._names, prefix)

    def _path(self, name: str) -> Path:
        if not _SAFE.fullmatch(name):
            raise ValueError(f"Not a name for a shelf: {name!r}. Use letters, digits, '.', '_', '-' and '/'.")
        return self._folder / name

    def _names(self, prefix: str) -> list[str]:
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file())
        return sorted(name for name in found if name.startswith(prefix) and _SAFE.fullmatch(name))

    @staticmethod
    def _put(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
