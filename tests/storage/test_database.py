import asyncio
import gc
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, StaticPool, create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.question import Question
from bot.ports import Store
from storage.database import Database, DatabaseUnreachable
from storage.direct import DirectWriter
from storage.store import SqlStore
from tests.storage.things import question


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("sqlite:///data/a.db", "sqlite+aiosqlite:///data/a.db"),
        ("sqlite+aiosqlite:///data/a.db", "sqlite+aiosqlite:///data/a.db"),
        ("postgresql://bot:pw@db:5432/desk", "postgresql+psycopg://bot:***@db:5432/desk"),
        ("postgres://bot:pw@db/desk?sslmode=require&password=pw", "postgresql+psycopg://bot:***@db/desk"),
        ("postgresql+psycopg://db/desk", "postgresql+psycopg://db/desk"),
    ],
)
def test_address_is_normalised_and_shown_without_password(address: str, shown: str) -> None:
    assert str(Database(address)) == shown


@pytest.mark.parametrize(
    "address", ["", "desk.db", "sqlite://", "mysql://bot:s3cret@db/desk", "postgresql://bot:s3cret@db:x/desk"]
)
def test_other_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match="must look like sqlite:///") as refused:
        Database(address)
    assert "s3cret" not in str(refused.value)


async def test_unreachable_server_is_reported_without_password() -> None:
    database = Database("postgresql://bot:s3cret@127.0.0.1:1/desk")
    with pytest.raises(DatabaseUnreachable, match=r"^database_unreachable .*127\.0\.0\.1:1/desk") as raised:
        await database.migrate()
    assert "s3cret" not in str(raised.value)
    await database.close()


@pytest.mark.parametrize("older", [False, True])
async def test_only_owner_may_read_files(tmp_path: Path, *, older: bool) -> None:
    file = tmp_path / "desk.db"
    if older:
        file.touch(0o644)
    database = Database(f"sqlite:///{file}")
    await database.migrate()
    async with database.begin():
        rights = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    await database.close()
    assert rights == dict.fromkeys(("desk.db", "desk.db-wal", "desk.db-shm"), 0o600)


async def test_new_folders_are_their_owners_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/deep/desk.db")
    await database.migrate()
    await database.close()
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/deep")] == [0o700, 0o700]


@pytest.mark.parametrize("name", [".", "file/desk.db"])
async def test_file_that_cannot_be_opened_is_unreachable(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    database = Database(f"sqlite:///{tmp_path}/{name}")
    with pytest.raises(DatabaseUnreachable, match="file_unreachable"):
        await database.ping()
    await database.close()


async def test_file_that_is_no_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("not a database " * 100)
    database = Database(f"sqlite:///{tmp_path}/notes.db")
    with pytest.raises(DatabaseUnreachable, match="not a database"):
        await database.ping()
    await database.close()


async def test_missing_folder_is_created(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a/b/desk.db")
    await database.migrate()
    await database.close()
    assert (tmp_path / "a/b/desk.db").exists()


async def test_sqlite_syncs_each_commit_to_disk(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/desk.db")
    async with database.begin() as connection:
        settings = [(await connection.execute(text(f"PRAGMA {p}"))).scalar() for p in ("journal_mode", "synchronous")]
    await database.close()
    assert settings == ["wal", 2]


async def test_ping_reaches_the_database(database: Database) -> None:
    await database.ping()


async def test_failed_transaction_is_rolled_back(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as transaction:
            await transaction.questions.add(question())
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with store.transaction() as transaction:
        assert await transaction.questions.count() == 0


async def test_cancelled_transaction_is_rolled_back_and_blocks_nobody(store: Store) -> None:
    written = asyncio.Event()

    async def write_and_wait() -> None:
        async with store.transaction() as transaction:
            await transaction.questions.add(question())
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_wait())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.transaction() as transaction:
        assert await transaction.questions.add(question())


async def test_sqlite_refuses_a_transaction_within_a_transaction(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/desk.db")
    async with database.begin():
        with pytest.raises(RuntimeError, match="within a transaction"):
            await database.ping()
    await database.ping()
    await database.close()


async def test_two_replicas_can_write_concurrently(url: str) -> None:
    replicas = [Database(url), Database(url)]

    async def write(n: int) -> None:
        async with SqlStore(replicas[n % 2]).transaction() as transaction:
            before = await transaction.questions.count()
            await transaction.questions.add(question(n))
            assert await transaction.questions.count() > before

    await asyncio.gather(*(write(n) for n in range(20)))
    async with SqlStore(replicas[0]).transaction() as transaction:
        assert await transaction.questions.count() == 20
    for replica in replicas:
        await replica.close()


async def test_locked_question_admits_one_transaction_at_a_time(url: str) -> None:
    replicas = [Database(url), Database(url)]
    async with SqlStore(replicas[0]).transaction() as transaction:
        await transaction.questions.add(question())

    async def append(letter: str) -> None:
        async with SqlStore(replicas[ord(letter) % 2]).transaction() as transaction:
            held = await transaction.questions.get("q1", lock=True)
            assert isinstance(held, Question)
            await asyncio.sleep(0.01)
            await transaction.questions.edit(held.model_copy(update={"text": held.text + letter}))

    await asyncio.gather(*(append(letter) for letter in "abcdef"))
    async with SqlStore(replicas[0]).transaction() as transaction:
        kept = await transaction.questions.get("q1")
    assert kept is not None
    assert sorted(kept.text.removeprefix(question().text)) == list("abcdef")
    for replica in replicas:
        await replica.close()


COMMIT_AND_DIE = """
import asyncio, os, signal, sys
from storage.database import Database
from storage.store import SqlStore
from tests.storage.things import question

async def main():
    async with SqlStore(Database(sys.argv[1])).transaction() as transaction:
        await transaction.questions.add(question())
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_commit_survives_kill_9(url: str, store: Store) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", COMMIT_AND_DIE, url], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    async with store.transaction() as transaction:
        assert await transaction.questions.get("q1") == question()


async def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(DBAPIError):
        async with database.begin() as connection:
            await connection.execute(text("INSERT INTO finetune_rows VALUES ('unknown', 'r')"))


async def test_close_waits_for_cancelled_transactions(database: Database) -> None:
    """An unclosed connection would warn when it is collected, and warnings are errors."""
    entered = asyncio.Event()

    async def hold() -> None:
        async with database.begin() as connection:
            entered.set()
            await connection.execute(select(1))
            await asyncio.sleep(0.05)

    first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
    await entered.wait()
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await database.close()
    await asyncio.gather(first, second, return_exceptions=True)
    gc.collect()


def test_program_ends_quietly_while_connecting(caplog: pytest.LogCaptureFixture) -> None:
    async def end_while_connecting(silent: socket.socket) -> socket.socket:
        async def use(database: Database) -> None:
            async with database.begin():
                pass

        port = silent.getsockname()[1]
        using = asyncio.create_task(use(Database(f"postgresql://bot:pw@127.0.0.1:{port}/desk")))
        connected, _ = await asyncio.get_running_loop().sock_accept(silent)
        assert not using.done()
        return connected

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        asyncio.run(end_while_connecting(silent)).close()
    assert "Exception in callback" not in caplog.text


@pytest.mark.parametrize("reads", [False, True])
async def test_close_waits_until_the_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, reads: bool
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def make_slowly(path: Path) -> None:
        begun.set()
        may_end.wait(5)
        path.touch()

    monkeypatch.setattr("storage.database._make_file", make_slowly)
    database = Database(f"sqlite:///{tmp_path}/desk.db")

    async def use() -> None:
        async with database.snapshot() if reads else database.begin():
            pass

    using = asyncio.create_task(use())
    await asyncio.to_thread(begun.wait, 5)
    using.cancel()
    await asyncio.wait([using])
    closing = asyncio.create_task(database.close())
    await asyncio.wait([closing], timeout=0.01)
    assert not closing.done()
    may_end.set()
    await closing
    assert (tmp_path / "desk.db").exists()


async def test_snapshot_stays_unchanged_and_waits_for_nobody(store: Store) -> None:
    async with store.transaction() as writing, store.snapshot() as before:
        await writing.questions.add(question(1))
        assert await before.questions.count() == 0
    async with store.snapshot() as reading:
        assert await reading.questions.count() == 1
        async with store.transaction() as writing:
            await writing.questions.add(question(2))
        assert await reading.questions.count() == 1
    async with store.snapshot() as after:
        assert await after.questions.count() == 2


async def test_snapshot_refuses_writes(store: Store) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"):
        async with store.snapshot() as reading:
            await reading.questions.add(question())
    async with store.transaction() as writing:
        assert await writing.questions.add(question())


async def test_sqlite_runs_only_snapshots_in_a_thread(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/desk.db")

    def offer_thread(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        driver.create_function("thread", 0, threading.get_ident)

    async def thread_of(connection: AsyncConnection) -> int:
        await connection.run_sync(offer_thread)
        return int((await connection.execute(text("SELECT thread()"))).scalar_one())

    async with database.begin() as writing:
        assert await thread_of(writing) == threading.get_ident()
    async with database.snapshot() as reading:
        assert await thread_of(reading) != threading.get_ident()
    await database.close()


class SlowConnection(sqlite3.Connection):
    """A SQLite connection with a slow commit, which records whether another call disturbs the commit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.committing, self.may_finish, self.disturbed = threading.Event(), threading.Event(), False

    def commit(self) -> None:
        self.committing.set()
        self.may_finish.wait(5)
        super().commit()
        self.committing.clear()

    def rollback(self) -> None:
        self.disturbed |= self.committing.is_set()
        super().rollback()

    def close(self) -> None:
        self.disturbed |= self.committing.is_set()
        super().close()


async def test_cancelled_sqlite_commit_is_not_disturbed(tmp_path: Path) -> None:
    """Two threads within one connection would crash the process with a segmentation fault."""
    drivers: list[SlowConnection] = []

    def connect() -> SlowConnection:
        drivers.append(SlowConnection(tmp_path / "desk.db", isolation_level=None, check_same_thread=False))
        return drivers[0]

    writer = DirectWriter(create_engine("sqlite://", creator=connect, poolclass=StaticPool), busy_seconds=1)
    await writer.open()

    async def create() -> None:
        async with writer.transaction() as connection:
            await connection.execute(text("CREATE TABLE kept (id)"))
            await connection.execute(text("INSERT INTO kept VALUES (1)"))

    (driver,) = drivers
    creating = asyncio.create_task(create())
    await asyncio.to_thread(driver.committing.wait, 5)
    for _ in range(2):
        creating.cancel()
        await asyncio.wait([creating], timeout=0.01)
    assert not creating.done()
    driver.may_finish.set()
    await asyncio.wait([creating])
    assert creating.cancelled()
    await writer.close()
    assert not driver.disturbed
    with closing(sqlite3.connect(tmp_path / "desk.db")) as other:
        assert other.execute("SELECT count(*) FROM kept").fetchone() == (1,), "the commit went through"


@pytest.mark.parametrize("cancelled", [False, True])
async def test_waiting_for_sqlite_does_not_block_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cancelled: bool
) -> None:
    monkeypatch.setattr("storage.database.BUSY_SECONDS", 2)
    database = Database(f"sqlite:///{tmp_path}/desk.db")
    await database.ping()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.01)
            turns += 1

    with closing(sqlite3.connect(tmp_path / "desk.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        counting, waiting = asyncio.create_task(count_turns()), asyncio.create_task(database.ping())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        if cancelled:
            turns = 0
            waiting.cancel()
            await asyncio.sleep(0.1)
        assert turns > 1
        other.execute("COMMIT")
        await asyncio.wait([waiting])
        assert waiting.cancelled() is cancelled
    counting.cancel()
    await database.close()
