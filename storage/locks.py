"""Database locks on things that have no row to lock."""

from enum import IntEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

LONGEST_PAUSE_WITHIN = "1h"
"""Longest pause between two statements of a transaction that may wait for something else."""


class Lock(IntEnum):
    """The numbers of Madoguchi's advisory locks.

    PostgreSQL shares one number space among all programs of a database, so these numbers begin with `MADO` in ASCII.
    """

    MIGRATION = 0x4D41444F_01
    SERVING = 0x4D41444F_02
    FINETUNE = 0x4D41444F_03
    AUDIT = 0x4D41444F_04
    POSTS = 0x4D41444F_05
    INDEX = 0x4D41444F_06
    ERASURE = 0x4D41444F_07


async def acquire_lock(connection: AsyncConnection, lock: Lock, *, shared: bool = False) -> None:
    """Wait for a lock, then hold it until this transaction ends.

    On SQLite this does nothing: a transaction there already locks the whole database.

    Args:
        connection: The transaction.
        lock: The lock.
        shared: Whether others may hold it at the same time, if they share it too.
    """
    if connection.dialect.name == "postgresql":
        acquire = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        await connection.execute(select(acquire(lock.value)))


async def lift_timeouts(connection: AsyncConnection) -> None:
    """Lift all timeouts in this transaction, because a migration may wait for another replica or build an index."""
    if connection.dialect.name == "postgresql":
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        await connection.execute(select(*(func.set_config(name, "0", True) for name in names)))


async def allow_pauses(connection: AsyncConnection) -> None:
    """Let this transaction pause for `LONGEST_PAUSE_WITHIN`; call it only where no lock is held that others need."""
    if connection.dialect.name == "postgresql":
        timeout = func.set_config("idle_in_transaction_session_timeout", LONGEST_PAUSE_WITHIN, True)
        await connection.execute(select(timeout))
