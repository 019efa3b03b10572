"""A search for a word in every place of a database, and the list of the columns that may hold people's words."""

import io
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Connection, DateTime, Float, Integer, MetaData, select, text

from storage.database import Database

ZIP = b"PK\x03\x04"
"""Beginning of a packed file, as a trained model's: its words are found only unpacked."""
COMPRESSED = b"\x78"
"""Beginning of a file that zlib has compressed, as a training file."""
WORDS = frozenset(
    {
        "inbox.arrival",
        "inbox.others",
        "questions.text",
        "questions.unread",
        "verdicts.reason",
        "corrections.reason",
        "feedback.words",
        "review_marks.before",
        "rows.text",
        "rows.reason",
        "rows.origin",
        "finetune_rows.text",
        "outbox.payload",
        "files.data",
    }
)
"""Columns that may hold words of a question, or what people said of it: `SqlForgetting.erase` reaches each of them."""
OTHERS = {
    "inbox": "event_id place holder token ending why audience",
    "prompts": "id body",  # the instructions are an admin's own text; docs/forgetting.md says so
    "prompt_events": "prompt_id why by folder",
    "datasets": "id prompt_id manifest",
    "finetunes": "id student dataset_id prompt_id estimate state requested_by language file_id job_id model error "
    "progress channel channel_ts",
    "finetune_rows": "finetune_id row_id",
    "out_of_fold": "finetune_id row_id category revision",
    "proposals": "finetune_id state release_id over by shown",
    "releases": "id model prompt_id state finetune_id unsure_revision",
    "release_events": "release_id state by why note",
    "questions": "id asker team channel ts thread_ts via language card_ts settled audience disclosure authors part_of",
    "sent_messages": "channel ts question_id",
    "results": "release_id text_key revision category",
    "evaluation_batches": "id release_id batch_id state requested_by language channel revision",
    "shadows": "question_id release_id category",
    "verdicts": "id question_id release_id category settled_row revision others",
    "corrections": "question_id kind verdict_id category by",
    "review_marks": "key kind by",
    "feedback": "question_id kind by",
    "signals": "question_id message_ts kind by",
    "rows": "id group category split source by team channel ts audience",
    "looks": "row_id by",
    "outbox": "topic key holder token error",
    "leases": "name holder token",
    "replicas": "id version release_id",
    "cursors": "name position",
    "oldest_program": "revision",
    "files": "name sha256",
    "embeddings": "model text_hash vector",
    "embedding_tokens": "model day",
    "audit_log": "who act thing facts before hash",
    "audit_people": "user_id alias",
    "forget_requests": "id kind target by language state counts left trained",
    "tombstones": "place group_hash",
    "askers": "person lately",
    "forgotten_tokens": "release_id day",
    "posts": "id channel language holds ts files",
}
"""Table → columns with ids, names, dates and figures, which hold no words of a question."""

COLUMNS = {
    "sqlite": "SELECT name, sql FROM sqlite_master ORDER BY name",
    "postgresql": "SELECT table_name, ordinal_position, column_name, data_type, udt_name"
    " FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position",
}
"""Dialect → the query for all columns of a database. It takes a tenth of the time of reading the tables themselves."""
_read: dict[tuple[Any, ...], MetaData] = {}
"""The answers of these queries → the tables that were read then."""


async def written_columns(database: Database) -> set[str]:
    """Return every column of the database, as the database itself reports it, that can hold text."""
    tables = await _reflected(database)
    plain = (Boolean, DateTime, Float, Integer)
    return {
        f"{table.name}.{column.name}"
        for table in tables.tables.values()
        for column in table.columns
        if table.name != "alembic_version" and not isinstance(column.type, plain)
    }


async def places_of(database: Database, word: str) -> set[str]:
    """Return every column of every table in which the word stands."""
    found = set()
    tables = await _reflected(database)
    async with database.begin() as connection:
        for table in tables.tables.values():
            for row in (await connection.execute(select(table))).mappings():
                found |= {f"{table.name}.{name}" for name, value in row.items() if holds(value, word)}
    return found


def holds(value: object, word: str) -> bool:
    """Return whether a value holds the word, as text, escaped as JSON writes it, or as bytes."""
    if isinstance(value, bytes | memoryview):
        data = bytes(value)
        if data.startswith(ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                return any(holds(packed.read(name), word) for name in packed.namelist())
        if data.startswith(COMPRESSED):
            with suppress(zlib.error):  # other bytes may begin so too
                return holds(zlib.decompress(data), word)
        return any(form in data for form in forms(word))
    return any(form.decode("utf-8", "replace") in str(value) for form in forms(word))


def forms(word: str) -> list[bytes]:
    """Return the forms in which a word may be written."""
    return [word.encode(), word.encode("unicode_escape"), word.encode("utf-16-le")]


def files_with(folder: Path, word: str) -> list[str]:
    """Return the files below a folder that hold the word."""
    return [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and holds(file.read_bytes(), word)
    ]


async def _reflected(database: Database) -> MetaData:
    """Return the tables as the database defines them; databases that define the same columns share what was read."""
    async with database.begin() as connection:
        columns = (await connection.execute(text(COLUMNS[connection.dialect.name]))).all()
        return await connection.run_sync(_reflect, tuple(map(tuple, columns)))


def _reflect(connection: Connection, columns: tuple[Any, ...]) -> MetaData:
    if columns not in _read:
        _read[columns] = MetaData()
        _read[columns].reflect(bind=connection)
    return _read[columns]
