"""Reads how it stands with the mirror."""

from datetime import datetime

from bot.domain.mirrored import END, FILLED, TOPIC, TROUBLE, UNTAKEN, MirrorState
from bot.ports import Transaction


async def mirror_state(tx: Transaction, now: datetime) -> MirrorState:
    entries, age = await tx.outbox.lag(now, TOPIC)
    filled = (await tx.cursors.get(FILLED) or "").endswith(f" {END}")
    untaken = int(await tx.cursors.get(UNTAKEN) or 0)
    trouble = await tx.cursors.get(TROUBLE)
    return MirrorState(open=entries, age=age, filled=filled, trouble=trouble or None, untaken=untaken)
