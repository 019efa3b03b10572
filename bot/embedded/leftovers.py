"""Temporary files and folders that are deleted even if the program that made them was killed.

Their maker holds a lock on each. The system drops the lock when the process ends, however it ends, and the next process
deletes what nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_folder(prefix: str) -> Iterator[Path]:
    """Yield a temporary folder that is deleted at the end, after deleting those that killed programs left."""
    parent = Path(tempfile.gettempdir())
    delete_leftovers(parent, f"{prefix}*")
    folder, lock = _make_held(lambda: Path(tempfile.mkdtemp(prefix=prefix, dir=parent)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def held_file(folder: Path, prefix: str, suffix: str = "") -> Iterator[Path]:
    """Yield an empty file that only its owner may read, and delete it at the end unless it was renamed.

    Raises:
        OSError: Nothing can be written there.
    """

    def make() -> Path:
        descriptor, name = tempfile.mkstemp(suffix, prefix, folder)
        os.close(descriptor)
        return Path(name)

    path, lock = _make_held(make)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


def delete_leftovers(folder: Path, pattern: str) -> None:
    """Delete the files and folders of this name pattern in a folder that no running process holds.

    What may not be opened or deleted, such as another user's, stays.
    """
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(lock)


def _make_held(make: Callable[[], Path]) -> tuple[Path, int]:
    """Make a file or folder and lock it; again if another process took it for a leftover between the two."""
    while True:
        path = make()
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)
