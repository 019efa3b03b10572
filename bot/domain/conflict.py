"""Conflicts: near-duplicate questions that were settled with different categories.

Near-duplication is not transitive, and the group that a row joins depends on which row came first. Groups that share
near-duplicate rows, directly or through other groups, therefore form a *cluster*; arrival order does not change it. A
cluster settled with more than one category is a conflict. Until staff settle it with one category, no row of it is used
for training, for evaluation or as an example for a model.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Generic, Protocol, TypeVar

from bot.domain.thing import Thing

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


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


class Tally(Generic[K, V]):
    """The number of times that each value was added under each key. A key with one value takes little memory."""

    def __init__(self) -> None:
        self._once: dict[K, V] = {}
        self._often: dict[K, Counter[V]] = {}

    def add(self, key: K, value: V) -> None:
        if key in self._often:
            self._often[key][value] += 1
        elif key in self._once:
            self._often[key] = Counter([self._once.pop(key), value])
        else:
            self._once[key] = value

    def remove(self, key: K, value: V) -> None:
        """Remove a value that was added."""
        if self._once.pop(key, None) is not None:
            return
        counter = self._often[key]
        counter[value] -= 1
        if not counter[value]:
            del counter[value]
        if not counter:
            del self._often[key]

    def of(self, key: K) -> Collection[V]:
        """Return the different values of a key."""
        if key in self._once:
            return (self._once[key],)
        return self._often.get(key, ())


class ClusteredRows(Protocol):
    """The rows that count, by group and by text."""

    def in_group(self, group: str) -> Collection[tuple[int, str]]:
        """Return the texts and categories of a group's rows."""

    def at_text(self, text: int) -> Collection[str]:
        """Return the groups of a text's rows."""


class RowClusters:
    """The clusters and conflicts of a changing set of rows that are kept elsewhere, updated incrementally."""

    def __init__(self, rows: ClusteredRows, near: Callable[[int], Collection[int]]) -> None:
        """Start with rows without any conflict, or with none.

        Args:
            rows: The rows.
            near: A symmetric relation; returns the numbers of a text's near-duplicates, given the text's number.
        """
        self._of = rows
        self._near = near
        self._conflicts: dict[str, Conflict] = {}
        """Group → the conflict that the group belongs to."""
        self._changed: set[str] = set()

    def changed(self, group: str) -> None:
        """Note that rows of a group changed."""
        self._changed.add(group)

    def restore(self, conflicts: Iterable[Conflict]) -> None:
        """Take over the conflicts that were found among the same rows."""
        self._conflicts = {group: conflict for conflict in conflicts for group in conflict.groups}

    def cluster(self, group: str) -> set[str]:
        """Return the groups in this group's cluster, itself included."""
        found, queue, looked_up = {group}, [group], set[int]()
        while queue:
            for text in {text for text, _ in self._of.in_group(queue.pop())}:
                near = {text, *self._near(text)} - looked_up
                looked_up |= near
                groups = {group for one in near for group in self._of.at_text(one)} - found
                queue += groups
                found |= groups
        return found

    def _is_alone(self, group: str, row: tuple[int, str]) -> bool:
        """Return whether the only row of a group has no others beside it, as most have."""
        text, _ = row
        return not self._near(text) and {*self._of.at_text(text)} == {group}

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
            group = stale.pop()
            rows = self._of.in_group(group)
            if len(rows) == 1 and self._is_alone(group, *rows):
                continue
            cluster = self.cluster(group)
            stale -= cluster
            categories = {category for group in cluster for _, category in self._of.in_group(group)}
            if len(categories) > 1:
                conflict = Conflict(groups=tuple(sorted(cluster)), categories=tuple(sorted(categories)))
                self._conflicts.update(dict.fromkeys(cluster, conflict))


class Clusters(RowClusters):
    """The clusters and conflicts of rows that are added here."""

    def __init__(self, near: Callable[[int], Collection[int]]) -> None:
        """Start without rows; `near` is that of `RowClusters`."""
        super().__init__(self, near)
        self._rows: Tally[str, tuple[int, str]] = Tally()
        """Group → (text, category) → rows."""
        self._groups: Tally[int, str] = Tally()
        """Text → group → rows."""

    def in_group(self, group: str) -> Collection[tuple[int, str]]:
        return self._rows.of(group)

    def at_text(self, text: int) -> Collection[str]:
        return self._groups.of(text)

    def add(self, group: str, text: int, category: str) -> None:
        """Add a row."""
        self._rows.add(group, (text, category))
        self._groups.add(text, group)
        self.changed(group)

    def remove(self, group: str, text: int, category: str) -> None:
        """Remove a row that was added."""
        self._rows.remove(group, (text, category))
        self._groups.remove(text, group)
        self.changed(group)
