"""A copy of this program that shares the database with others."""

from datetime import datetime, timedelta

from bot.domain.thing import Thing

BEAT = timedelta(seconds=5)
"""How often a replica says that it is alive, and what it serves."""
REPLICA_SILENT_AFTER = timedelta(seconds=30)
"""One that was not heard of for so long is not counted."""


class Replica(Thing):
    """One process. `release_id` is what it serves, None before it has answered to that."""

    id: str
    version: str
    release_id: str | None
    started_at: datetime
    seen_at: datetime
