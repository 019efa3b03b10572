"""Proof that no question used for measuring was used for training, neither itself, nor its group, nor a near-copy."""

import asyncio
from collections.abc import Sequence

from bot.domain.dataset import Row, normalised
from bot.domain.errors import Reason, Refused
from bot.ports import Neighbours

CACHED_FINDINGS = 20
"""How many findings `UnseenRows` keeps."""


async def overlapping_ids(
    neighbours: Neighbours, rows: Sequence[Row], others: Sequence[Row], shown: Sequence[str] = ()
) -> set[str]:
    """Return the ids of the rows whose question is among the other rows, by group or as a near-copy.

    Args:
        neighbours: Finds near-copies.
        rows: The rows to look up.
        others: The rows to search.
        shown: Further texts to compare with, such as the examples of a prompt.
    """
    groups = {other.group for other in others}
    texts = [*(other.text for other in others), *shown]
    pairs = await asyncio.to_thread(neighbours.pairs, [row.text for row in rows], texts)
    return {row.id for row in rows if row.group in groups} | {rows[i].id for i, _ in pairs}


class UnseenRows:
    """A filter for the held-out rows that may be scored. It caches findings: the same rows come again and again."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._found: dict[int, frozenset[str]] = {}

    async def of(self, held_out: Sequence[Row], trained: Sequence[Row], shown: Sequence[str] = ()) -> list[Row]:
        """Return the held-out rows that are neither among the trained rows nor among the texts `shown` in a prompt.

        Held-out rows can overlap with training. A question that came later may be a near-copy of a held-out question,
        whose group it joins, and of a trained one. An example in a prompt may be a question that somebody asked.

        Raises:
            Refused: NOT_DISJOINT, when the rows that remain fail the proof.
        """
        key = hash((*((row.id, row.text, row.group) for rows in (held_out, trained) for row in rows), *shown))
        known = self._found.get(key)
        if known is None:
            known = frozenset(await overlapping_ids(self._neighbours, held_out, trained, shown))
            unseen = [row for row in held_out if row.id not in known]
            await prove_disjoint(self._neighbours, trained, unseen, shown)
            self._found = dict([*self._found.items()][-CACHED_FINDINGS:]) | {key: known}
        return [row for row in held_out if row.id not in known]


async def prove_disjoint(
    neighbours: Neighbours, trained: Sequence[Row], held_out: Sequence[Row], shown: Sequence[str] = ()
) -> None:
    """Prove that no held-out question was trained on or is shown in a prompt.

    Raises:
        Refused: NOT_DISJOINT, when a held-out question was seen: the same text, its group, or a near-copy.
    """
    texts = {normalised(text) for text in (*(row.text for row in trained), *shown)}
    same = {row.id for row in held_out if normalised(row.text) in texts}
    overlap = same | await overlapping_ids(neighbours, held_out, trained, shown)
    if overlap:
        raise Refused(Reason.NOT_DISJOINT, rows=len(overlap))
