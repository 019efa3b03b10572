"""Replicas: running copies of the app that share the database."""

from datetime import datetime, timedelta

from bot.domain.thing import Thing

BEAT = timedelta(seconds=5)
"""Interval of the heartbeat, which also tells what the replica serves."""
REPLICA_SILENT_AFTER = timedelta(seconds=30)
"""Silence after which a replica no longer counts as running."""


class Replica(Thing):
    """One running process. `release_id` is the release it serves; None until it has loaded one."""

    id: str
    version: str
    release_id: str | None
    started_at: datetime
    seen_at: datetime
