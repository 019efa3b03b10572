"""Claims and leases of queue entries, shared by the inbox and the outbox."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, Table, Update, update
from sqlalchemy.ext.asyncio import AsyncConnection


class Lease:
    """The owner of a claim, and the moment when the claim expires.

    Args:
        owner: the worker's name; `release_owned` finds the worker's entries by this name.
        now: the present.
        lease: how long the entry is held.
    """

    def __init__(self, owner: str, now: datetime, lease: timedelta) -> None:
        self.owner = owner
        self.now = now
        self.until = now + lease


async def claim(
    connection: AsyncConnection, table: Table, claimable: Select[tuple[int]], lease: Lease
) -> RowMapping | None:
    """Claim the first claimable entry under a new token.

    Args:
        connection: an open transaction.
        table: the queue, with the columns `id`, `due_at`, `attempts`, `holder` and `token`.
        claimable: the ids of the entries that may be claimed, best first.
        lease: the owner and the duration of the claim.

    Returns:
        The entry as it is after the claim, or None if no entry is claimable.
    """
    # PostgreSQL skips entries that another transaction is claiming; SQLite has one transaction at a time.
    first = claimable.limit(1).with_for_update(skip_locked=True)
    claimed = await connection.execute(
        update(table)
        .where(table.c.id == first.scalar_subquery())
        .values(due_at=lease.until, attempts=table.c.attempts + 1, holder=lease.owner, token=secrets.token_hex(16))
        .returning(table)
    )
    entry: RowMapping | None = claimed.mappings().one_or_none()
    return entry


def update_held(table: Table, entry_id: int, token: str) -> Update:
    """Build an update of an entry; it matches no row if the lease was lost, because the token is then outdated."""
    return update(table).where(table.c.id == entry_id, table.c.token == token)


def release_owned(table: Table, owner: str, now: datetime) -> Update:
    """Build an update that releases every entry of an owner, so that any worker may claim it."""
    return update(table).where(table.c.holder == owner, table.c.token.is_not(None)).values(release_values(now))


def release_values(until: datetime) -> dict[str, Any]:
    """Return the column values that make an entry claimable by any worker from `until` on."""
    return {"due_at": until, "holder": None, "token": None}
