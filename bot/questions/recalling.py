"""The settled questions that a release is shown as examples with a new question."""

from collections.abc import Collection

from bot.domain.dataset import Row
from bot.domain.release import Release
from bot.domain.similar import Example
from bot.ports import Neighbours


async def examples_for(
    neighbours: Neighbours, release: Release, text: str, *, without: Collection[str] = ()
) -> tuple[Example, ...]:
    """Return the settled questions most similar to a text, the most similar one last, right before the question.

    Args:
        neighbours: The search; it finds training rows only.
        release: The release; its `recall` is the number of examples, and 0 means none.
        text: The question.
        without: Groups whose rows must not be shown.
    """
    if not release.recall:
        return ()
    found = await neighbours.nearest(text, release.recall, without=without)
    return tuple(Example(text=neighbour.text, category=neighbour.category) for neighbour in reversed(found))


async def examples_for_row(neighbours: Neighbours, release: Release, row: Row) -> tuple[Example, ...]:
    """Return the examples for a row that the release is evaluated on.

    Its own group, and groups that hold a near-copy of it, are left out: their rows would give the answer away.
    """
    if not release.recall:
        return ()
    near = {neighbour.group for neighbour in await neighbours.near(row.text)}
    return await examples_for(neighbours, release, row.text, without=near | {row.group})
