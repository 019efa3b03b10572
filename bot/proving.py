"""Proof that what is measured on was not trained on: not to the letter, not by group, and not nearly."""

import asyncio
from collections.abc import Sequence

from bot.domain.dataset import Row, normalised
from bot.domain.errors import Reason, Refused
from bot.ports import Neighbours


async def seen(neighbours: Neighbours, rows: Sequence[Row], others: Sequence[Row]) -> set[str]:
    """The ids of the rows whose question stands among the others: in one of their groups, or nearly the same."""
    groups = {other.group for other in others}
    pairs = await asyncio.to_thread(neighbours.pairs, [row.text for row in rows], [other.text for other in others])
    return {row.id for row in rows if row.group in groups} | {rows[i].id for i, _ in pairs}


async def prove_disjoint(neighbours: Neighbours, trained: Sequence[Row], held_out: Sequence[Row]) -> None:
    """Raises Refused: NOT_DISJOINT, where a held-out question was trained on: as it is, its group, or nearly."""
    texts = {normalised(row.text) for row in trained}
    same = {row.id for row in held_out if normalised(row.text) in texts}
    both = same | await seen(neighbours, held_out, trained)
    if both:
        raise Refused(Reason.NOT_DISJOINT, rows=len(both))
