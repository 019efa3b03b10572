"""A training file on its way to a provider: compressed in memory, and unpacked as it is sent."""

import io
import os
import zlib
from collections.abc import Iterable
from typing import Any

_NO_PLACE = "an upload is read from its beginning to its end"


class Upload(io.RawIOBase):
    """A file of lines that can be read, and read again from its beginning when the upload is tried again.

    A training file repeats the prompt in each line, so that it takes a twentieth of its size.

    Args:
        lines: The lines, without line feeds.
        mark: The bytes before the first one.
    """

    def __init__(self, lines: Iterable[bytes], mark: bytes = b"") -> None:
        packing = zlib.compressobj(level=1)
        packed = bytearray(packing.compress(mark))
        self._size = len(mark)
        for line in lines:
            packed += packing.compress(line + b"\n")
            self._size += len(line) + 1
        self._packed = bytes(packed + packing.flush())
        self._place = self._next = 0
        """The byte that a caller reads next, and the one that is unpacked next."""
        self._unpacking, self._rest = zlib.decompressobj(), self._packed

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place. Before the next read it must be the beginning again, or where the last read ended."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Unpack the next bytes.

        Raises:
            io.UnsupportedOperation: They are neither the first ones nor those after the last read.
        """
        if not self._place:
            self._unpacking, self._rest, self._next = zlib.decompressobj(), self._packed, 0
        if self._place != self._next:
            raise io.UnsupportedOperation(_NO_PLACE)
        found = self._unpacking.decompress(self._rest, len(buffer)) if len(buffer) else b""
        self._rest = self._unpacking.unconsumed_tail
        buffer[: len(found)] = found
        self._place = self._next = self._next + len(found)
        return len(found)
