"""Freed memory goes back to the system, also from between blocks that stay."""

import ctypes
import subprocess
import sys

import pytest

HOLES = """
from pathlib import Path
from bot.similarity.freed import give_back

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

blocks = [bytes(100_000) for _ in range(1_000)]
blocks[:-1] = []  # the last one lies at the end of the heap
before = held()
give_back()
print(before - held())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="a C library that gives nothing back")
def test_freed_blocks_go_back_to_the_system() -> None:
    given = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True).stdout
    assert int(given) > 50_000_000
