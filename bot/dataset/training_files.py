"""Writers of a training file: into memory, or into a file of the disk."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bot.domain.dataset import CHUNK_BYTES, Export, Manifest, Row, lines_of


class FileWriter(Protocol):
    """A training file that is written once, and then read."""

    size: int
    """Its bytes."""

    def write(self, row: Row, line: bytes) -> None:
        """Add the line of a row."""

    def close(self) -> str:
        """End the file; return its sha256, hexadecimal."""

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the file as they can be read now."""


class PackedFile:
    """A training file that is kept compressed."""

    def __init__(self) -> None:
        self._packing = zlib.compressobj(level=1)
        self._packed = bytearray()
        self._sha256 = hashlib.sha256()
        self._texts: dict[str, str] = {}
        self.size = 0

    def write(self, row: Row, line: bytes) -> None:
        self._sha256.update(line)
        self._packed += self._packing.compress(line)
        self._texts[row.id] = row.text
        self.size += len(line)

    def close(self) -> str:
        self._packed += self._packing.flush()
        return self._sha256.hexdigest()

    def lines(self) -> Iterator[bytes]:
        return lines_of(bytes(self._packed))

    def export(self, manifest: Manifest) -> Export:
        """Return the file with its manifest."""
        return Export(manifest=manifest, packed=bytes(self._packed), texts=self._texts)


class DiskFile:
    """A training file in a folder. It has no name that people see until it is whole and was proven.

    Args:
        path: The name that the file has until then.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("wb", buffering=CHUNK_BYTES)
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, row: Row, line: bytes) -> None:  # noqa: ARG002 - the row is in its line
        self._sha256.update(line)
        self._file.write(line)
        self.size += len(line)

    def close(self) -> str:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._sha256.hexdigest()

    def lines(self) -> Iterator[bytes]:
        with self._path.open("rb", buffering=CHUNK_BYTES) as file:
            yield from file

    def name(self, path: Path) -> None:
        """Give the whole file its name. It takes the place of an older file."""
        self._path.replace(path)

    def discard(self) -> None:
        """Delete the file unless it has its name."""
        self._file.close()
        self._path.unlink(missing_ok=True)
