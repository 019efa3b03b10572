"""Giving back to the system what was freed: large blocks that come and go leave holes among small ones."""

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Return freed memory to the system, which may take some milliseconds; a C library other than glibc does nothing.

    By itself, glibc returns only what lies at the end of its heap. Once a large block was freed, it puts further blocks
    of that size there, too, up to 32 MB each (mallopt(3), M_MMAP_THRESHOLD).
    """
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
