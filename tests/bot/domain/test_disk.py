"""The errors of a full disk, and what the log says of them."""

import errno
import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from bot.app import logs
from bot.domain.disk import is_disk_full, log_failure


def sqlite_full() -> sqlite3.OperationalError:
    """Return the error of a database that may not grow."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as full:
            connection.execute("INSERT INTO t VALUES (?)", [b"x" * 100_000])
    return full.value


def wrapped(error: BaseException) -> Exception:
    other = RuntimeError("not saved")
    other.__cause__ = error
    return other


FULL = {
    "file": OSError(errno.ENOSPC, "No space left on device"),
    "quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "PostgreSQL": psycopg.errors.DiskFull("could not extend file"),
    "SQLite": sqlite_full(),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_full_disk_is_told_however_wrapped(error: Exception) -> None:
    assert is_disk_full(error)
    assert is_disk_full(wrapped(error))
    assert is_disk_full(wrapped(wrapped(error)))


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EACCES, "no"), psycopg.errors.OutOfMemory("no"), sqlite3.OperationalError("locked"), ValueError()],
)
def test_other_errors_are_no_full_disk(error: Exception) -> None:
    assert not is_disk_full(wrapped(error))


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    out, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("INFO", stream=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)


def test_full_disk_is_one_line_a_minute(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("bot.test")
    for error in [*FULL.values(), ValueError("other")]:
        log_failure(log, "a worker failed", error)
        log.error("a job failed", exc_info=error)
    first, *others = [json.loads(line) for line in written.getvalue().splitlines()]
    assert first["message"] == "a worker failed: the disk is full, so nothing can be stored"
    assert [line["exc_info"].splitlines()[-1] for line in others] == ["ValueError: other"] * 2
    monkeypatch.setattr(logs, "DISK_FULL_SECONDS", -1.0)
    log.error("a job failed", exc_info=FULL["file"])
    last = json.loads(written.getvalue().splitlines()[-1])
    assert (last["message"], "exc_info" in last) == ("a job failed", False)
