"""File storage that all replicas share."""

from typing import Protocol


class Shelf(Protocol):
    """Named files, shared by all replicas: exports and trained artifacts."""

    async def put(self, name: str, data: bytes) -> None:
        """Write or replace a file atomically."""

    async def get(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            KeyError: There is no such file.
        """

    async def delete(self, name: str) -> bool:
        """Delete a file; return whether it existed."""

    async def names(self, prefix: str) -> list[str]:
        """Return the names that start with `prefix`, sorted."""
