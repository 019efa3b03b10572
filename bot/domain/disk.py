"""The disk: folders that only their owner may use, and how errors of a full one are told from others and logged."""

import errno
import logging
import sqlite3
from pathlib import Path

FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
FULL_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""SQLite's result codes; the second one is for the file of its shared memory."""
FULL_POSTGRESQL = frozenset({"53100"})
"""PostgreSQL's SQLSTATE `disk_full`."""
FULL_CODES = (FULL_ERRNOS, FULL_POSTGRESQL, FULL_SQLITE)
DISK_FULL_FIELD = "disk_full"
"""The field of a log record about a full disk. The log shows such records once a minute."""


def make_private_folder(folder: Path) -> None:
    """Create a folder and those above it; only their owner may list, add or replace files in what is new."""
    for one in reversed([folder, *folder.parents]):
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one that it wraps, comes from a full disk or a used-up quota on one."""
    seen: set[int] = set()
    unseen = [error]
    while unseen:
        one = unseen.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found = (getattr(one, name, None) for name in ("errno", "sqlstate", "sqlite_errorcode"))
        if any(code in known for code, known in zip(found, FULL_CODES, strict=True)):
            return True
        unseen += [one.__cause__, one.__context__]
    return False


def log_failure(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log that something failed: with the traceback, or as one short line if the disk is full."""
    if is_disk_full(error):
        log.error("%s: the disk is full, so nothing can be stored", what, extra={DISK_FULL_FIELD: True})
    else:
        log.error("%s", what, exc_info=error)
