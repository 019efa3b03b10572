"""The mirror's status, and the trouble that stops it."""

from datetime import datetime

from bot.domain.errors import TrackerError, TrackerReason, TrackerRefused
from bot.domain.mirrored import (
    MIRROR_DATASET,
    MIRROR_DOWN,
    MIRROR_FILLED,
    MIRROR_FILLED_END,
    MIRROR_TOPIC,
    MIRROR_TROUBLE,
    MIRROR_UNTAKEN,
    MirrorState,
)
from bot.ports import Transaction


async def mirror_state(tx: Transaction, now: datetime) -> MirrorState:
    entries, age = await tx.outbox.lag(now, MIRROR_TOPIC)
    dataset, filled_to = await tx.cursors.get(MIRROR_DATASET), await tx.cursors.get(MIRROR_FILLED) or ""
    filled = bool(dataset) and filled_to.endswith(f" {MIRROR_FILLED_END}")
    untaken = int(await tx.cursors.get(MIRROR_UNTAKEN) or 0)
    trouble = await tx.cursors.get(MIRROR_TROUBLE) or None
    return MirrorState(open=entries, age=age, filled=filled, trouble=trouble, untaken=untaken)


async def record_trouble(tx: Transaction, error: TrackerError, now: datetime) -> bool:
    """Store why the tracker accepts nothing, and return whether that is news.

    If the dataset was deleted, its id is forgotten, so the next round creates a new one.
    """
    reason = error.reason if isinstance(error, TrackerRefused) else MIRROR_DOWN
    if reason is TrackerReason.DATASET_GONE:
        await tx.cursors.move(MIRROR_DATASET, "", now)
    news = await tx.cursors.get(MIRROR_TROUBLE) != reason
    await tx.cursors.move(MIRROR_TROUBLE, str(reason), now)
    return news
