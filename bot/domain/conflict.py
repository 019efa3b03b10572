"""Conflicts: near-duplicate questions that were settled with different categories.

Near-duplication is not transitive, and the group that a row joins depends on which row came first. Groups that share
near-duplicate rows, directly or through other groups, therefore form a *cluster*; arrival order does not change it. A
cluster settled with more than one category is a conflict. Until staff settle it with one category, no row of it is used
for training, for evaluation or as an example for a model.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from bot.domain.thing import Thing

K = TypeVar("K", bound=Hashable)


class Conflict(Thing):
    """A cluster that was settled with more than one category."""

    groups: tuple[str, ...]
    """Ids of its groups, sorted."""
    categories: tuple[str, ...]
    """Ids of its categories, sorted."""

    @property
    def key(self) -> str:
        """The first of its groups. Any group of a cluster identifies it."""
        return self.groups[0]


class Clusters:
    """The clusters and conflicts of a changing set of rows, updated incrementally."""

    def __init__(self, near: Callable[[int], Iterable[int]]) -> None:
        """Start without rows.

        Args:
            near: a symmetric relation; returns the numbers of a text's near-duplicates, given the text's number.
        """
        self._near = near
        self._rows: defaultdict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
        """Group → (text, category) → rows."""
        self._groups: defaultdict[int, Counter[str]] = defaultdict(Counter)
        """Text → group → rows."""
        self._conflicts: dict[str, Conflict] = {}
        """Group → the conflict that the group belongs to."""
        self._changed: set[str] = set()

    def add(self, group: str, text: int, category: str) -> None:
        """Add a row."""
        self._rows[group][text, category] += 1
        self._groups[text][group] += 1
        self._changed.add(group)

    def remove(self, group: str, text: int, category: str) -> None:
        """Remove a row that was added."""
        _decrement(self._rows[group], (text, category))
        _decrement(self._groups[text], group)
        self._changed.add(group)

    def cluster(self, group: str) -> set[str]:
        """Return the groups in this group's cluster, itself included."""
        found, queue = {group}, [group]
        while queue:
            for text in {text for text, _ in self._rows.get(queue.pop(), ())}:
                near = {group for one in (text, *self._near(text)) for group in self._groups.get(one, ())}
                queue += near - found
                found |= near
        return found

    def contested(self) -> dict[str, Conflict]:
        """Return group → conflict for every group that belongs to one."""
        if self._changed:
            self._update_conflicts()
        return self._conflicts

    def _update_conflicts(self) -> None:
        """Recompute only the groups that changed and the groups in conflict with them; no other conflict can change."""
        stale = set(self._changed)
        stale.update(one for group in self._changed & self._conflicts.keys() for one in self._conflicts[group].groups)
        for group in stale:
            self._conflicts.pop(group, None)
        self._changed.clear()
        while stale:
            cluster = self.cluster(stale.pop())
            stale -= cluster
            categories = {category for group in cluster for _, category in self._rows.get(group, ())}
            if len(categories) > 1:
                conflict = Conflict(groups=tuple(sorted(cluster)), categories=tuple(sorted(categories)))
                self._conflicts.update(dict.fromkeys(cluster, conflict))


def _decrement(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
