"""INSERT … ON CONFLICT for both databases, which SQLAlchemy offers only in each dialect."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import ReturningInsert

Values = Mapping[str, Any]


async def insert_new(connection: AsyncConnection, table: Table, values: Values, *, unique: Sequence[str]) -> bool:
    """Insert a row, or return False and change nothing if a row has the same values in the `unique` columns."""
    statement = _insert_new(connection.dialect.name, table, tuple(unique))
    # Not `rowcount`: the driver does not report it when SQLAlchemy asks for the new key by itself.
    return (await connection.execute(statement, dict(values))).one_or_none() is not None


async def upsert(connection: AsyncConnection, table: Table, *many: Values) -> None:
    """Insert each row, or overwrite the given columns of an existing row with the same primary key.

    Args:
        connection: An open transaction.
        table: The table.
        many: The rows, all with the same columns. SQL expressions such as `func.now()` work only in a single row.
    """
    if not many:
        return
    statement = _upsert(connection.dialect.name, table, tuple(many[0]))
    if len(many) > 1:
        await connection.execute(statement, list(many))
        return
    expressions = {name: value for name, value in many[0].items() if isinstance(value, ClauseElement)}
    values = {name: value for name, value in many[0].items() if name not in expressions}
    await connection.execute(statement.values(expressions) if expressions else statement, values)


async def add_up(connection: AsyncConnection, table: Table, values: Values, *columns: str) -> None:
    """Insert a row, or add the values of `columns` to those of an existing row with the same primary key."""
    insert = insert_into(connection.dialect.name, table).values(values)
    totals = {column: table.c[column] + insert.excluded[column] for column in columns}
    await connection.execute(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=totals))


@cache  # building a statement takes longer than running it
def _upsert(dialect: str, table: Table, names: tuple[str, ...]) -> postgresql.Insert | sqlite.Insert:
    insert = insert_into(dialect, table)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: insert.excluded[name] for name in names if name not in table.primary_key},
    )


@cache
def _insert_new(dialect: str, table: Table, unique: tuple[str, ...]) -> ReturningInsert[Any]:
    return insert_into(dialect, table).on_conflict_do_nothing(index_elements=unique).returning(*table.primary_key)


def insert_into(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Build an insert that takes ON CONFLICT, which SQLAlchemy offers only in each dialect."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
