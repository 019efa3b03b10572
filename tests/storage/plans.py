"""How the database would run what the store sends."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection


async def plans_of(connection: AsyncConnection, call: Callable[[], Awaitable[object]]) -> list[str]:
    """Return the plan of each statement of a call, made once the database knows how its tables are filled."""
    await connection.execute(text("ANALYZE"))
    statements: list[tuple[str, Any]] = []

    def record(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(connection.sync_connection, "before_cursor_execute", record)
    await call()
    event.remove(connection.sync_connection, "before_cursor_execute", record)
    return [await connection.run_sync(partial(_plan_of, sent=sent)) for sent in statements]


def _plan_of(connection: Connection, sent: tuple[str, Any]) -> str:
    statement, parameters = sent
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    return str(connection.exec_driver_sql(explain + statement, parameters).all())
