"""Locks on what has no row of its own to lock."""

from enum import IntEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection


class Lock(IntEnum):
    """PostgreSQL's advisory locks share one number space per database: these are Madoguchi's."""

    MIGRATION = 0x4D41444F_01
    SERVING = 0x4D41444F_02
    FINETUNE = 0x4D41444F_03


async def hold(connection: AsyncConnection, lock: Lock) -> None:
    """Wait until nobody else holds it; it is held until this transaction ends.

    On SQLite nothing is to be done: a transaction there has the whole database for itself.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(lock.value)))


async def unhurried(connection: AsyncConnection) -> None:
    """Let this transaction take its time, for a migration: another replica's is waited for, and an index is built."""
    if connection.dialect.name == "postgresql":
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        await connection.execute(select(*(func.set_config(name, "0", True) for name in names)))
