"""Tables as the database itself defines them, and rows that fill them."""

from typing import Any

from sqlalchemy import Connection, DateTime, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.types import JSON, Boolean, Float, Integer

from tests.storage.things import NOW


def reflect_tables(connection: Connection) -> MetaData:
    """Return the tables as the database defines them, whatever the code says."""
    tables = MetaData()
    tables.reflect(connection)
    tables.remove(tables.tables["alembic_version"])
    return tables


def sample_value(column: Any, n: int) -> object:
    """Return a value of the column's type; all texts are equal, so that foreign keys find their rows."""
    samples: list[tuple[type, object]] = [
        (JSON, {"n": n}),
        (DateTime, NOW if str(column.type) != "DATETIME" else NOW.replace(tzinfo=None)),
        (Boolean, False),
        (Float, 0.5),
        (Integer, n),
        (LargeBinary, b"x"),
    ]
    return next((sample for column_type, sample in samples if isinstance(column.type, column_type)), f"x{n}")


def write_rows(connection: Connection, tables: MetaData, n: int) -> None:
    """Insert one row into each table, with every column that the table has at that revision."""
    for table in tables.sorted_tables:
        connection.execute(insert(table).values({column.name: sample_value(column, n) for column in table.columns}))


def read_rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]
