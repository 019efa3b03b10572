"""How like open questions are to settled texts, and to each other."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from bot.similarity.index import Index
from bot.similarity.meanings import Likeness, Meanings, TextVectors

MOST_OPEN_TEXTS = 2_000
"""Most open texts that are remembered. Past it, all are forgotten, so the next reading takes longer."""
MOST_CHANGES = 1_000
"""Number of changed slots above which all slots are compared again, which is quicker then."""


class OpenTexts:
    """Open questions, each with the settled text that is most like it.

    A new question is compared with every settled text once. From then on it is compared with what changes.

    Args:
        settled: The settled texts.
        meanings: Their vectors.
    """

    def __init__(self, settled: Index, meanings: Meanings) -> None:
        self._settled = settled
        self._meanings = meanings
        self._forget()

    def _forget(self) -> None:
        self._index = Index()
        self._vectors: dict[int, TextVectors] = {}
        self._nearest: dict[int, tuple[int, float]] = {}
        """Open text → the slot that is most like it, and that likeness; slot -1 if nothing is like it."""
        self._changed: set[int] = set()

    def note(self, slots: Collection[int]) -> None:
        """Note slots whose rows changed, or whose vectors became known."""
        if self._nearest:
            self._changed.update(slots)

    async def encode(self, texts: Sequence[str]) -> None:
        """Fetch the vectors of new texts, if there is an encoder."""
        if len(self._nearest) > MOST_OPEN_TEXTS:
            self._forget()
        slots = {self._index.slot(text): text for text in texts}
        new = [at for at in slots if at not in self._vectors]
        vectors = await self._meanings.vectors([slots[at] for at in new])
        if vectors is not None:
            self._vectors.update(zip(new, vectors, strict=True))
            for at in new:
                self._nearest.pop(at, None)

    def likeness(self, texts: Sequence[str], counts: Callable[[int], bool]) -> tuple[Likeness, Likeness]:
        """Return each text's likeness to the settled text that is most like it, and to each of these texts.

        Args:
            texts: Texts that `encode` was given before.
            counts: Whether a slot has a row that counts.
        """
        self._follow_changes(counts)
        slots = [self._index.slot(text) for text in texts]
        texts_of = dict(zip(slots, texts, strict=True))
        stale = {at for at, (nearest, _) in self._nearest.items() if nearest >= 0 and not counts(nearest)}
        self._look_up({at: text for at, text in texts_of.items() if at in stale or at not in self._nearest}, counts)
        settled = np.array([self._nearest[at][1] for at in slots], dtype=np.float64)
        between = np.array([self._index.likeness(text)[slots] for text in texts], dtype=np.float64)
        known = [at for at, slot in enumerate(slots) if slot in self._vectors]
        if known:
            chosen = np.ix_(known, known)
            vectors = self._stacked([slots[at] for at in known])
            between[chosen] = self._meanings.join(between[chosen], self._meanings.cosines(vectors, vectors))
            np.fill_diagonal(between, 1.0)
        return settled, between

    def _look_up(self, new: Mapping[int, str], counts: Callable[[int], bool]) -> None:
        """Compare these texts with all settled texts."""
        for at, text in new.items():
            found = self._meanings.joined(self._vectors.get(at), self._settled.likeness(text))
            self._nearest[at] = _most_alike(found, counts)

    def _follow_changes(self, counts: Callable[[int], bool]) -> None:
        if len(self._changed) > MOST_CHANGES:
            self._nearest.clear()
        slots, stored = self._meanings.stored(len(self._settled), self._changed)
        known = [at for at in self._nearest if at in self._vectors]
        cosines = dict(zip(slots.tolist(), self._meanings.cosines(stored, self._stacked(known)), strict=True))
        for slot in sorted(slot for slot in self._changed if self._nearest and counts(slot)):
            found = self._index.likeness(self._settled.text(slot))
            if known and slot in cosines:
                found[known] = self._meanings.join(found[known], cosines[slot])
            for at, (_, before) in self._nearest.items():
                if found[at] > before:
                    self._nearest[at] = slot, float(found[at])
        self._changed.clear()

    def _stacked(self, slots: Sequence[int]) -> TextVectors:
        return np.array([self._vectors[at] for at in slots], dtype=np.float32)


def _most_alike(found: Likeness, counts: Callable[[int], bool]) -> tuple[int, float]:
    """Return the slot of the greatest likeness that has a row that counts. The array is changed."""
    while found.any():
        best = int(found.argmax())
        if counts(best):
            return best, float(found[best])
        found[best] = 0.0
    return -1, 0.0
