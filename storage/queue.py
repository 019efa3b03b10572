"""Claims and leases of queue entries, shared by the inbox and the outbox. Their statements are built once."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, RowMapping, Select, Table, Update, bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate


class Lease:
    """The owner of a claim, and the moment when the claim expires.

    Args:
        owner: The worker's name; `release_owned` finds the worker's entries by this name.
        now: The present.
        lease: How long the entry is held.
    """

    def __init__(self, owner: str, now: datetime, lease: timedelta) -> None:
        self.owner = owner
        self.now = now
        self.until = now + lease


def claiming(table: Table, claimable: Select[tuple[int]]) -> ReturningUpdate[Any]:
    """Build the statement for `claim`.

    Args:
        table: The queue, with the columns `id`, `due_at`, `attempts`, `holder` and `token`.
        claimable: The ids of the entries that may be claimed, best first. Its parameter `now` is the present.
    """
    # PostgreSQL skips entries that another transaction is claiming; SQLite has one transaction at a time.
    first = claimable.limit(1).with_for_update(skip_locked=True)
    held = {name: _new(table, name) for name in ("due_at", "holder", "token")}
    return (
        update(table)
        .where(table.c.id == first.scalar_subquery())
        .values(attempts=table.c.attempts + 1, **held)
        .returning(table)
    )


async def claim(
    connection: AsyncConnection, statement: ReturningUpdate[Any], lease: Lease, **parameters: Any
) -> RowMapping | None:
    """Claim the first claimable entry under a new token.

    Args:
        connection: An open transaction.
        statement: What `claiming` built.
        lease: The owner and the duration of the claim.
        parameters: Further parameters of the statement.

    Returns:
        The entry as it is after the claim, or None if no entry is claimable.
    """
    claimed = await connection.execute(statement, _parameters(lease_values(lease)) | {"now": lease.now} | parameters)
    entry: RowMapping | None = claimed.mappings().one_or_none()
    return entry


async def update_held(
    connection: AsyncConnection, table: Table, entry_id: int, token: str, values: Mapping[str, Any]
) -> bool:
    """Update an entry. Return False, and change nothing, if the lease was lost: the token is then outdated."""
    statement = _update_held(table, tuple(values))
    held = {"entry_id": entry_id, "held_token": token}
    return (await connection.execute(statement, _parameters(values) | held)).rowcount > 0


def lease_values(lease: Lease) -> dict[str, Any]:
    """Return the column values of an entry that is held under a new token."""
    return {"due_at": lease.until, "holder": lease.owner, "token": secrets.token_hex(16)}


def release_owned(table: Table, owner: str, now: datetime) -> Update:
    """Build an update that releases every entry of an owner, so that any worker may claim it."""
    return update(table).where(table.c.holder == owner, table.c.token.is_not(None)).values(release_values(now))


def release_values(until: datetime) -> dict[str, Any]:
    """Return the column values that make an entry claimable by any worker from `until` on."""
    return {"due_at": until, "holder": None, "token": None}


@cache
def _update_held(table: Table, columns: tuple[str, ...]) -> Update:
    held = (table.c.id == bindparam("entry_id"), table.c.token == bindparam("held_token"))
    return update(table).where(*held).values({name: _new(table, name) for name in columns})


def _new(table: Table, column: str) -> BindParameter[Any]:
    """Return the parameter of a column's new value."""
    return bindparam(f"new_{column}", type_=table.c[column].type)


def _parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}
