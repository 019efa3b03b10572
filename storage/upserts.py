"""INSERT … ON CONFLICT, which both databases have and SQLAlchemy keeps in two dialects."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, Any]


async def insert_new(connection: AsyncConnection, table: Table, values: Values, *, unique: Sequence[str]) -> bool:
    """Insert; False, and nothing changes, where these unique columns hold the same already."""
    insert = _insert(connection, table).values(values).on_conflict_do_nothing(index_elements=unique)
    # Not the count of rows: where SQLAlchemy asks for the new key by itself, the driver does not tell it.
    return (await connection.execute(insert.returning(*table.primary_key))).one_or_none() is not None


async def upsert(connection: AsyncConnection, table: Table, *many: Values) -> None:
    """Insert each, or set all of these columns of the row with the same primary key. They have the same columns.

    SQL, such as `func.now()`, may stand only in a single one.
    """
    if not many:
        return
    insert = _insert(connection, table)
    if len(many) == 1:
        insert = insert.values(many[0])
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: insert.excluded[name] for name in many[0] if name not in table.primary_key},
        ),
        list(many) if len(many) > 1 else None,
    )


def _insert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
