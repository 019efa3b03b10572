"""The mirror's status, and the trouble that stops it."""

from datetime import datetime

from bot.domain.errors import TracesDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.mirrored import (
    MIRROR_DATASET,
    MIRROR_DOWN,
    MIRROR_FILLED,
    MIRROR_FILLED_END,
    MIRROR_TOPIC,
    MIRROR_TRACES_DOWN,
    MIRROR_TROUBLE,
    MIRROR_UNTAKEN,
    MirrorState,
)
from bot.ports import Transaction
from bot.questions.delivering import tell_operators

OPERATORS_REASONS: frozenset[str] = frozenset(
    {
        TrackerReason.WRONG_ADDRESS,
        TrackerReason.WEB_ADDRESS,
        TrackerReason.CERTIFICATE,
        TrackerReason.WRONG_KEY,
        TrackerReason.WRONG_WORKSPACE,
        MIRROR_TRACES_DOWN,
    }
)
"""Reasons that only the people who run the bot can end."""


async def mirror_state(tx: Transaction, now: datetime, *, private_rows: bool = False) -> MirrorState:
    """Return the state of the mirror. With `private_rows` it also gets what not everybody may read."""
    entries, age = await tx.outbox.lag(now, MIRROR_TOPIC)
    dataset, filled_to = await tx.cursors.get(MIRROR_DATASET), await tx.cursors.get(MIRROR_FILLED) or ""
    filled = bool(dataset) and filled_to.endswith(f" {MIRROR_FILLED_END}")
    untaken = int(await tx.cursors.get(MIRROR_UNTAKEN) or 0)
    trouble = await tx.cursors.get(MIRROR_TROUBLE) or None
    private = 0 if private_rows else await tx.rows.private()
    return MirrorState(open=entries, age=age, filled=filled, trouble=trouble, untaken=untaken, private=private)


async def record_trouble(tx: Transaction, error: TrackerError, now: datetime) -> bool:
    """Store why the tracker does not accept everything, and return whether that is news.

    Operators are told if only they can end it. If the dataset was deleted, its id is forgotten, so the next round
    creates a new one.
    """
    if isinstance(error, TrackerRefused):
        reason: str = error.reason
    else:
        reason = MIRROR_TRACES_DOWN if isinstance(error, TracesDown) else MIRROR_DOWN
    if reason is TrackerReason.DATASET_GONE:
        await tx.cursors.move(MIRROR_DATASET, "", now)
    news = await tx.cursors.get(MIRROR_TROUBLE) != reason
    await tx.cursors.move(MIRROR_TROUBLE, str(reason), now)
    if news and reason in OPERATORS_REASONS:
        await tell_operators(tx, now, f"tracker.{reason}")
    return news
