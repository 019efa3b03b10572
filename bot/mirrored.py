"""How it stands with the mirror, and what stands in its way."""

from datetime import datetime

from bot.domain.errors import TrackerError, TrackerReason, TrackerRefused
from bot.domain.mirrored import DATASET, DOWN, END, FILLED, TOPIC, TROUBLE, UNTAKEN, MirrorState
from bot.ports import Transaction


async def mirror_state(tx: Transaction, now: datetime) -> MirrorState:
    entries, age = await tx.outbox.lag(now, TOPIC)
    dataset, filled_to = await tx.cursors.get(DATASET), await tx.cursors.get(FILLED) or ""
    filled = bool(dataset) and filled_to.endswith(f" {END}")
    untaken = int(await tx.cursors.get(UNTAKEN) or 0)
    trouble = await tx.cursors.get(TROUBLE) or None
    return MirrorState(open=entries, age=age, filled=filled, trouble=trouble, untaken=untaken)


async def hindered(tx: Transaction, error: TrackerError, now: datetime) -> bool:
    """Keep why nothing gets through; whether that is news. A dataset that is gone is made anew by the next round."""
    reason = error.reason if isinstance(error, TrackerRefused) else DOWN
    if reason is TrackerReason.DATASET_GONE:
        await tx.cursors.move(DATASET, "", now)
    news = await tx.cursors.get(TROUBLE) != reason
    await tx.cursors.move(TROUBLE, str(reason), now)
    return news
