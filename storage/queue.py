"""Work that is claimed, held for a while, and given back: the inbox and the outbox."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, Table, Update, update
from sqlalchemy.ext.asyncio import AsyncConnection


class Lease:
    """Who takes an entry, and until when nobody else may.

    Args:
        owner: for people who look into the database.
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
    """Take the first of these entries under a new token; the entry as it is then, or None where there is none.

    Args:
        connection: a transaction.
        table: the queue; its columns are `id`, `due_at`, `attempts`, `holder` and `token`.
        claimable: the ids of the entries that may be taken, best first.
        lease: by whom and for how long.
    """
    # PostgreSQL passes over what another transaction is just claiming; SQLite has one transaction at a time.
    first = claimable.limit(1).with_for_update(skip_locked=True)
    taken = await connection.execute(
        update(table)
        .where(table.c.id == first.scalar_subquery())
        .values(due_at=lease.until, attempts=table.c.attempts + 1, holder=lease.owner, token=secrets.token_hex(16))
        .returning(table)
    )
    entry: RowMapping | None = taken.mappings().one_or_none()
    return entry


def held(table: Table, entry_id: int, token: str) -> Update:
    """An update of this entry that changes nothing where the token is not the newest: then the lease was lost."""
    return update(table).where(table.c.id == entry_id, table.c.token == token)


def handed_back(table: Table, owner: str, now: datetime) -> Update:
    """An update of all that this owner holds: anybody may claim it."""
    return update(table).where(table.c.holder == owner, table.c.token.is_not(None)).values(given_back(now))


def given_back(until: datetime) -> dict[str, Any]:
    """What to set so that anybody may claim an entry from `until` on."""
    return {"due_at": until, "holder": None, "token": None}
