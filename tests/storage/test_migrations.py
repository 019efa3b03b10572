import asyncio
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from bot.domain.audit import AuditAct
from bot.domain.mark import MarkKind, QueueMark
from bot.domain.prompt import PromptEvent, PromptWhy
from storage.database import Database, TablesUnusable
from storage.migrations import config, known_revisions
from storage.store import SqlStore
from storage.tables import metadata
from tests.kits.postgres import make_database
from tests.storage.conftest import MakeDatabase
from tests.storage.things import NOW, PROMPT, add_answered_question, correction, feedback


def _schema_difference(connection: Connection) -> object:
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def _table_names(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def test_migrations_create_the_tables_of_the_code(database: Database) -> None:
    async with database.begin() as connection:
        assert await connection.run_sync(_schema_difference) == []
        assert await connection.run_sync(_table_names) == {*metadata.tables, "alembic_version"}


async def test_second_migration_changes_nothing(database: Database) -> None:
    await database.migrate()
    await database.migrate()
    async with database.begin() as connection:
        assert await connection.run_sync(_schema_difference) == []


async def test_downgrade_to_base_and_upgrade_again(make_empty: MakeDatabase) -> None:
    database = Database(make_empty())
    await database.migrate()
    async with database.begin() as connection:
        await connection.run_sync(lambda c: command.downgrade(config(c), "base"))
        assert await connection.run_sync(_table_names) == {"alembic_version"}
    await database.migrate()
    async with database.begin() as connection:
        assert await connection.run_sync(_schema_difference) == []
    await database.close()


async def test_postgresql_keys_sort_independently_of_the_locale() -> None:
    database = Database(make_database())
    await database.migrate()
    collation = "SELECT collation_name FROM information_schema.columns WHERE (table_name, column_name) = (:t, :c)"
    async with database.begin() as connection:
        for table, column in (("rows", "id"), ("files", "name")):
            assert (await connection.execute(text(collation), {"t": table, "c": column})).scalar() == "C"
    await database.close()


def test_migrations_have_one_head() -> None:
    with create_engine("sqlite://").connect() as connection:
        scripts = ScriptDirectory.from_config(config(connection))
        assert len(scripts.get_heads()) == 1
        revisions = [script.revision for script in scripts.walk_revisions()]
        assert known_revisions() == revisions[::-1], "the names of the files begin with the revisions"


async def test_newer_tables_stay_when_they_allow_the_program(make_empty: MakeDatabase) -> None:
    """Restart an old replica in the middle of an upgrade."""
    database = Database(make_empty())
    await database.migrate()
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.migrate()
    async with SqlStore(database).transaction() as transaction:
        await add_answered_question(transaction)
    async with database.begin() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() == "9999"
    await database.close()


async def test_too_new_tables_are_refused(make_empty: MakeDatabase) -> None:
    database = Database(make_empty())
    await database.migrate()
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("UPDATE oldest_program SET revision = '9998'"))
    with pytest.raises(TablesUnusable, match=r"tables_newer.*9999"):
        await database.migrate()
    await database.close()


MIGRATE = """
import asyncio, sys
from storage.database import Database

async def main():
    database = Database(sys.argv[1])
    await database.migrate()
    await database.close()

asyncio.run(main())
"""


async def test_concurrent_processes_migrate_once_from_any_folder(make_empty: MakeDatabase, tmp_path: Path) -> None:
    url, root = make_empty(), Path(__file__).parents[2]
    start = f"import sys; sys.path.insert(0, {str(root)!r})\n{MIGRATE}"
    command_line = [sys.executable, "-c", start, url]
    processes = [await asyncio.create_subprocess_exec(*command_line, cwd=tmp_path) for _ in range(2)]
    assert [await process.wait() for process in processes] == [0, 0]
    database = Database(url)
    async with database.begin() as connection:
        assert await connection.run_sync(_schema_difference) == []
    await database.close()


REPLACED = "replaced"
HISTORIES = ("corrections", "release_events", "prompt_events", "feedback", "audit_log", "review_marks")


@pytest.mark.parametrize("change", ["UPDATE {} SET by = 'U9'", "DELETE FROM {}", REPLACED])
async def test_history_refuses_updates_deletes_and_replacing(database: Database, change: str) -> None:
    """On SQLite a REPLACE, on PostgreSQL a TRUNCATE passes by the triggers for DELETE."""
    async with SqlStore(database).transaction() as transaction:
        await add_answered_question(transaction)
        await transaction.corrections.add(correction())
        await transaction.feedback.add(feedback())
        await transaction.prompts.enter(PromptEvent(prompt_id=PROMPT.id, why=PromptWhy.EDITED, by="U9", at=NOW))
        await transaction.audit.add("U1", AuditAct.SWITCHED, NOW, "v2")
        await transaction.marks.add(QueueMark(key="q1", kind=MarkKind.SKIP, by="U1", at=NOW))
    for history in HISTORIES:
        changed = change.replace(" by ", " who ") if history == "audit_log" else change
        if change == REPLACED:
            again = f"INSERT OR REPLACE INTO {history} SELECT * FROM {history}"  # noqa: S608
            changed = again if database._writer else f"TRUNCATE {history}"
        with pytest.raises(DBAPIError, match=f"{history} is append-only"):
            await execute(database, changed.format(history))


async def execute(database: Database, statement: str) -> None:
    async with database.begin() as connection:
        await connection.execute(text(statement))
