"""Recall: settled questions that a release is shown with each new one."""

from collections import defaultdict
from collections.abc import Sequence

from bot.domain.similar import Example, Neighbour

MOST = 20
"""Examples that a release may ask for: past that, a fine-tune is cheaper than the tokens."""


def shown(nearest: Sequence[Neighbour], k: int) -> tuple[Example, ...]:
    """The `k` examples to show of these rows (nearest first), the nearest last; none of a group in conflict."""
    categories: dict[str, set[str]] = defaultdict(set)
    for one in nearest:
        categories[one.group].add(one.category)
    settled = [one for one in nearest if len(categories[one.group]) == 1]
    return tuple(Example(text=one.text, category=one.category) for one in reversed(settled[:k]))
