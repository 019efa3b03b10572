"""The meaning of settled texts, beside their words."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.ports import TextEncoder
from bot.similarity.packed import Parts

Likeness = NDArray[np.float64]
TextVectors = NDArray[np.float32]
"""One row per text."""

ROOM = 20_000
"""Most texts whose meaning is kept: 1 KB each. The oldest make room for new ones, and are then found by words alone."""
BATCH = 64
"""Most texts that are encoded at once, the newest first, while searches wait."""
MEANING_SHARE = 0.7
"""Measured: the share of meaning, beside words, in the likeness of two questions."""
_CENTRED_FROM = 20
"""Number of texts from which their mean is subtracted: what all of them share is no likeness."""


class Meanings:
    """The vectors of texts by slot.

    Args:
        encoder: makes the vectors; without one, nothing is known of meaning.

    Attributes:
        hidden: slots whose text the encoder is not to read.
    """

    def __init__(self, encoder: TextEncoder | None) -> None:
        self._encoder = encoder
        self.hidden: set[int] = set()
        self._waiting: dict[int, str] = {}
        self._slots = np.zeros(0, dtype=np.int64)
        self._vectors = np.zeros((0, 0), dtype=np.float16)
        self._written = 0
        self._sum = np.zeros(0, dtype=np.float64)

    def parts(self) -> dict[str, bytes]:
        """Return the vectors that are known."""
        return {
            "slots": self._slots.tobytes(),
            "vectors": self._vectors.tobytes(),
            "sum": self._sum.tobytes(),
            "written": str(self._written).encode(),
        }

    def take(self, parts: Parts) -> None:
        """Take over vectors of the same encoder, if there are any."""
        if parts and parts["slots"] and self._encoder:
            self._slots = np.frombuffer(parts["slots"], np.int64).copy()
            self._sum = np.frombuffer(parts["sum"], np.float64).copy()
            self._vectors = np.frombuffer(parts["vectors"], np.float16).copy().reshape(len(self._slots), -1)
            self._written = int(parts["written"])

    def unknown(self, count: int) -> list[int]:
        """Return the newest of `count` slots whose meaning could be known and is not."""
        known = {*self._slots.tolist()}
        return [slot for slot in range(max(0, count - ROOM), count) if slot not in known] if self._encoder else []

    def add(self, slot: int, text: str) -> None:
        """Remember a new text; it is encoded before a later search."""
        if self._encoder is None:
            return
        self.hidden.discard(slot)
        self._waiting[slot] = text
        if len(self._waiting) > ROOM:
            del self._waiting[next(iter(self._waiting))]

    async def vectors(self, texts: Sequence[str]) -> TextVectors | None:
        """Return one vector per text; None without texts, without an encoder, or if it is out of reach just now."""
        return await self._encoder.vectors(texts) if texts and self._encoder else None

    async def encode_waiting(self) -> list[int]:
        """Encode the newest texts that wait, at most `BATCH`; return their slots."""
        slots = [*self._waiting][-BATCH:]
        vectors = await self.vectors([self._waiting[slot] for slot in slots])
        if vectors is None:
            return []
        for slot, vector in zip(slots, vectors, strict=True):
            del self._waiting[slot]
            self._keep(slot, vector)
        return slots

    def _keep(self, slot: int, vector: TextVectors) -> None:
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
        vectors = await self.vectors([text]) if kept else None
        if vectors is None:
            return by_words
        slots, stored = self.stored(len(by_words))
        found = by_words.copy()
        found[slots] = self.join(found[slots], self.cosines(vectors, stored)[0])
        return found

    def stored(self, below: int, among: Collection[int] | None = None) -> tuple[NDArray[np.int64], TextVectors]:
        """Return the slots whose meaning is known, and their vectors.

        Args:
            below: leave out slots from this one on.
            among: leave out all other slots.
        """
        slots = self._slots[: min(self._written, ROOM)]
        chosen = slots < below
        if among is not None:
            chosen &= np.isin(slots, [*among])
        return slots[chosen], self._vectors[: len(slots)][chosen].astype(np.float32)

    def cosines(self, these: TextVectors, those: TextVectors) -> NDArray[np.float32]:
        """Return the likeness by meaning of each of these vectors (rows) to each of those (columns), -1..1."""
        if not len(these) or not len(those):
            return np.zeros((len(these), len(those)), dtype=np.float32)
        kept = min(self._written, ROOM)
        centre = self._sum / kept if kept >= _CENTRED_FROM else np.zeros(these.shape[1])
        left, right = these - centre.astype(np.float32), those - centre.astype(np.float32)
        sizes = np.outer(np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1))
        return np.asarray(left @ right.T / np.maximum(sizes, 1e-9), dtype=np.float32)

    def join(self, by_words: Likeness, by_meaning: NDArray[np.float32]) -> Likeness:
        """Return the likeness by words and by meaning of the same pairs."""
        return (1 - MEANING_SHARE) * by_words + MEANING_SHARE * np.maximum(by_meaning, 0).astype(np.float64)
