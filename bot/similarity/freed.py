"""Giving back to the system what was freed: large blocks that come and go leave holes among small ones."""

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Return freed memory to the system, which may take some milliseconds; a C library other than glibc does nothing.

    glibc returns only what lies at the end of its heap. It also keeps blocks of up to 32 MB there once such a block was
    freed, so after an index was read some 40 MB were still held (mallopt(3), M_MMAP_THRESHOLD).
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
