"""Which settled questions a release is shown with a new one."""

from collections.abc import Collection

from bot.domain.dataset import Row
from bot.domain.release import Release
from bot.domain.similar import Example
from bot.ports import Neighbours


async def examples_for(
    neighbours: Neighbours, release: Release, text: str, *, without: Collection[str] = ()
) -> tuple[Example, ...]:
    """The release's `recall` nearest settled questions, the nearest last: it stands right before the question.

    Args:
        neighbours: where they are looked for; only rows to train on are.
        release: its `recall` says how many; none where it is 0.
        text: the question.
        without: groups of rows that must not be shown.
    """
    if not release.recall:
        return ()
    found = await neighbours.nearest(text, release.recall, without=without)
    return tuple(Example(text=one.text, category=one.category) for one in reversed(found))


async def examples_for_row(neighbours: Neighbours, release: Release, row: Row) -> tuple[Example, ...]:
    """Examples for a row that is measured on: never of its own group, nor of a group that holds a near-copy of it."""
    if not release.recall:
        return ()
    near = {neighbour.group for neighbour in await neighbours.near(row.text)}
    return await examples_for(neighbours, release, row.text, without=near | {row.group})
