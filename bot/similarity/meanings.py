"""The meaning of settled texts, beside their words."""

import numpy as np
from numpy.typing import NDArray

from bot.ports import TextEncoder

Likeness = NDArray[np.float64]

ROOM = 20_000
"""Most texts whose meaning is kept: 1 KB each. The oldest make room for new ones, and are then found by words alone."""
BATCH = 256
"""Most texts that are encoded before one search. The rest follow with the next searches, the newest first."""
MEANING_SHARE = 0.7
"""Measured: the share of meaning, beside words, in the likeness of two questions."""
_CENTRED_FROM = 20
"""Number of texts from which their mean is subtracted: what all of them share is no likeness."""


class Meanings:
    """The vectors of texts by slot.

    Args:
        encoder: makes the vectors; without one, nothing is known of meaning.
    """

    def __init__(self, encoder: TextEncoder | None) -> None:
        self._encoder = encoder
        self._waiting: dict[int, str] = {}
        self._slots = np.zeros(0, dtype=np.int64)
        self._vectors = np.zeros((0, 0), dtype=np.float16)
        self._written = 0
        self._sum = np.zeros(0, dtype=np.float64)

    def add(self, slot: int, text: str) -> None:
        """Remember a new text; it is encoded before a later search."""
        if self._encoder is None:
            return
        self._waiting[slot] = text
        if len(self._waiting) > ROOM:
            del self._waiting[next(iter(self._waiting))]

    async def encode_waiting(self) -> None:
        """Encode the newest texts that wait, at most `BATCH`."""
        slots = [*self._waiting][-BATCH:]
        if not slots or self._encoder is None:
            return
        vectors = await self._encoder.vectors([self._waiting[slot] for slot in slots])
        if vectors is None:
            return
        for slot, vector in zip(slots, vectors, strict=True):
            del self._waiting[slot]
            self._keep(slot, vector)

    def _keep(self, slot: int, vector: NDArray[np.float32]) -> None:
        if not self._sum.size:
            self._sum = np.zeros(len(vector), dtype=np.float64)
        at = self._written % ROOM
        if at >= len(self._slots):
            more = min(ROOM, max(1024, 2 * len(self._slots))) - len(self._slots)
            self._slots = np.concatenate([self._slots, np.full(more, -1)])
            grown = self._vectors.reshape(-1, len(vector))
            self._vectors = np.vstack([grown, np.zeros((more, len(vector)), dtype=np.float16)])
        if self._written >= ROOM:
            self._sum -= self._vectors[at]
        self._slots[at], self._vectors[at] = slot, vector
        self._sum += self._vectors[at]
        self._written += 1

    async def joined(self, text: str, by_words: Likeness) -> Likeness:
        """Return the likeness of a text to each slot: by words and by meaning, or by words where no meaning is known.

        Args:
            text: the text.
            by_words: the likeness by words of each slot, 0..1.
        """
        kept = min(self._written, ROOM)
        vectors = await self._encoder.vectors([text]) if kept and self._encoder else None
        if vectors is None:
            return by_words
        slots = self._slots[:kept]
        by_meaning = self._cosines(vectors[0], kept)
        found = by_words.copy()
        known = slots < len(found)
        words = found[slots[known]]
        found[slots[known]] = (1 - MEANING_SHARE) * words + MEANING_SHARE * np.maximum(by_meaning[known], 0)
        return found

    def _cosines(self, vector: NDArray[np.float32], kept: int) -> NDArray[np.float32]:
        stored = self._vectors[:kept].astype(np.float32)
        if kept >= _CENTRED_FROM:
            centre = (self._sum / kept).astype(np.float32)
            stored, vector = stored - centre, vector - centre
        sizes = np.linalg.norm(stored, axis=1) * max(float(np.linalg.norm(vector)), 1e-9)
        found: NDArray[np.float32] = stored @ vector / np.maximum(sizes, 1e-9)
        return found
