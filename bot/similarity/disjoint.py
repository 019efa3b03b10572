"""Proof that what is measured on was not trained on: not to the letter, not by group, and not nearly."""

import asyncio
from collections.abc import Sequence

from bot.domain.dataset import Row, normalised
from bot.domain.errors import Reason, Refused
from bot.ports import Neighbours

REMEMBERED = 20
"""Findings."""


async def seen(
    neighbours: Neighbours, rows: Sequence[Row], others: Sequence[Row], shown: Sequence[str] = ()
) -> set[str]:
    """The ids of the rows whose question stands among the others: in one of their groups, or nearly the same.

    `shown`: further texts that it may be nearly the same as, of no row: the examples of a prompt.
    """
    groups = {other.group for other in others}
    texts = [*(other.text for other in others), *shown]
    pairs = await asyncio.to_thread(neighbours.pairs, [row.text for row in rows], texts)
    return {row.id for row in rows if row.group in groups} | {rows[i].id for i, _ in pairs}


class UnseenRows:
    """Held-out rows that may be scored. What was found is remembered: the same rows are asked for again and again."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._found: dict[int, frozenset[str]] = {}

    async def of(self, held_out: Sequence[Row], trained: Sequence[Row], shown: Sequence[str] = ()) -> list[Row]:
        """The held-out rows that stand nowhere among the trained ones nor among the texts `shown` in a prompt, proven.

        A question that came after the training may be nearly the same as a held-out one, whose group it joins, and as
        one that was trained on. An example of a prompt may be a question that somebody asked.

        Raises:
            Refused: NOT_DISJOINT.
        """
        key = hash((*((row.id, row.text, row.group) for rows in (held_out, trained) for row in rows), *shown))
        known = self._found.get(key)
        if known is None:
            known = frozenset(await seen(self._neighbours, held_out, trained, shown))
            unseen = [row for row in held_out if row.id not in known]
            await prove_disjoint(self._neighbours, trained, unseen, shown)
            self._found = dict([*self._found.items()][-REMEMBERED:]) | {key: known}
        return [row for row in held_out if row.id not in known]


async def prove_disjoint(
    neighbours: Neighbours, trained: Sequence[Row], held_out: Sequence[Row], shown: Sequence[str] = ()
) -> None:
    """Prove that no held-out question was trained on or is shown in a prompt.

    Raises:
        Refused: NOT_DISJOINT, where one was: as it is, its group, or nearly.
    """
    texts = {normalised(text) for text in (*(row.text for row in trained), *shown)}
    same = {row.id for row in held_out if normalised(row.text) in texts}
    both = same | await seen(neighbours, held_out, trained, shown)
    if both:
        raise Refused(Reason.NOT_DISJOINT, rows=len(both))
