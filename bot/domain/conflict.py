"""Conflicts: nearly the same questions that are settled differently.

Nearness is not transitive, and which group a row joins depends on which row came first. So groups with nearly the same
rows hang together in a *cluster*, directly or through others: it holds the same rows in whatever order they came. A
cluster that is settled as more than one category is a conflict. Nothing of it is trained on, measured on or shown to a
model until staff settle it as one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from bot.domain.thing import Thing

K = TypeVar("K", bound=Hashable)


class Conflict(Thing):
    """A cluster that is settled as more than one category."""

    groups: tuple[str, ...]
    """In order."""
    categories: tuple[str, ...]
    """Their ids, in order."""

    @property
    def key(self) -> str:
        """The first of its groups: by any of them the cluster is found again."""
        return self.groups[0]


class Clusters:
    """Which groups hang together, and which clusters are settled differently; follows rows as they come and go."""

    def __init__(self, near: Callable[[int], Iterable[int]]) -> None:
        """Start without rows.

        Args:
            near: of a text's number those of the texts that are nearly the same, the same both ways.
        """
        self._near = near
        self._rows: defaultdict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
        """Group → (text, category) → rows."""
        self._groups: defaultdict[int, Counter[str]] = defaultdict(Counter)
        """Text → group → rows."""
        self._conflicts: dict[str, Conflict] = {}
        """Group → the conflict that it is part of."""
        self._changed: set[str] = set()

    def add(self, group: str, text: int, category: str) -> None:
        """A row came."""
        self._rows[group][text, category] += 1
        self._groups[text][group] += 1
        self._changed.add(group)

    def remove(self, group: str, text: int, category: str) -> None:
        """A row that came went."""
        _less(self._rows[group], (text, category))
        _less(self._groups[text], group)
        self._changed.add(group)

    def cluster(self, group: str) -> set[str]:
        """The groups that hang together with this one, itself among them."""
        found, ahead = {group}, [group]
        while ahead:
            for text in {text for text, _ in self._rows.get(ahead.pop(), ())}:
                near = {group for one in (text, *self._near(text)) for group in self._groups.get(one, ())}
                ahead += near - found
                found |= near
        return found

    def contested(self) -> dict[str, Conflict]:
        """Each group that is part of a conflict → the conflict."""
        if self._changed:
            self._look_again()
        return self._conflicts

    def _look_again(self) -> None:
        """Only what changed, and what it hung together with, can have another conflict now."""
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


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
