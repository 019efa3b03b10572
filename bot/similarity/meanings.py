"""The meaning of settled texts, beside their words."""

from collections.abc import Callable, Collection, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from bot.ports import TextEncoder
from bot.similarity.packed import Bytes, Parts

Likeness = NDArray[np.float64]
TextVectors = NDArray[np.float32]
"""One row per text."""

ROOM = 131_072
"""Most texts whose meaning is kept. The oldest make room for new ones, and are then found by words alone."""
MOST_BYTES = 64 << 20
"""Most memory of all vectors, in bytes. A vector takes one for each of its numbers."""
CODE_BITS = 512
"""Most numbers of a vector whose sign is kept in its code, the first ones."""
COMPARED = 500
"""How many of the most alike texts are compared exactly. Codes estimate how like the others are."""
BATCH = 64
"""Most texts that are encoded at once, the newest first, while searches wait."""
MEANING_SHARE = 0.7
"""Measured: the share of meaning, beside words, in the likeness of two questions."""
CODED_AT_ONCE = 4_096
"""Number of vectors that are coded at once, so that it takes little memory."""
_CENTRED_FROM = 20
"""Number of texts from which their mean is subtracted: what all of them share is no likeness."""


class Meanings:
    """The vectors of texts by slot.

    Args:
        encoder: Makes the vectors; without one, nothing is known of meaning.
        text_of: Returns the text of a slot that waits without one.

    Attributes:
        hidden: Slots whose text the encoder is not to read.
    """

    def __init__(self, encoder: TextEncoder | None, text_of: Callable[[int], str] = str) -> None:
        self._encoder = encoder
        self._text_of = text_of
        self.hidden: set[int] = set()
        self._waiting: dict[int, str | None] = {}
        self._newest = -1
        """The highest slot that was added."""
        self._slots = np.zeros(0, dtype=np.int64)
        self._vectors = np.zeros((0, 0), dtype=np.int8)
        self._scales = np.zeros(0, dtype=np.float32)
        """The factor of each vector's whole numbers."""
        self._codes = np.zeros((0, 0), dtype=np.uint64)
        """The signs of each vector after the subtraction of `_code_centre`, a column per vector."""
        self._code_centre = np.zeros(0, dtype=np.float32)
        self._coded = 0
        """How many vectors there were when `_code_centre` was chosen."""
        self._written = 0
        self._sum = np.zeros(0, dtype=np.float64)

    @property
    def _room(self) -> int:
        return min(ROOM, MOST_BYTES // max(1, len(self._sum)))

    @property
    def _kept(self) -> int:
        """The number of texts whose meaning is kept."""
        return min(self._written, self._room)

    def parts(self) -> dict[str, Bytes]:
        """Return the vectors that are known."""
        return {
            "slots": self._slots.tobytes(),
            "vectors": self._vectors.tobytes(),
            "scales": self._scales.tobytes(),
            "sum": self._sum.tobytes(),
            "written": str(self._written).encode(),
        }

    def take(self, parts: Parts) -> None:
        """Take over vectors of the same encoder, if there are any."""
        if parts and parts["slots"] and self._encoder:
            self._slots = np.frombuffer(parts["slots"], np.int64).copy()
            self._sum = np.frombuffer(parts["sum"], np.float64).copy()
            self._vectors = np.frombuffer(parts["vectors"], np.int8).copy().reshape(len(self._slots), -1)
            self._scales = np.frombuffer(parts["scales"], np.float32).copy()
            self._written = int(parts["written"])
            self._code_all()

    def unknown(self, count: int) -> list[int]:
        """Return the newest of `count` slots whose meaning could be known and is not."""
        known = {*self._slots.tolist()}
        return [slot for slot in range(max(0, count - self._room), count) if slot not in known] if self._encoder else []

    def add(self, slot: int, text: str | None) -> None:
        """Remember a new text, or a slot whose text is looked up; it is encoded before a later search."""
        if self._encoder is None:
            return
        self.hidden.discard(slot)
        self._waiting[slot] = text
        self._newest = max(self._newest, slot)
        # Several at once: each look for the first entry passes over all that were deleted before it.
        if len(self._waiting) > self._room * 17 // 16:
            for oldest in [*islice(self._waiting, len(self._waiting) - self._room)]:
                del self._waiting[oldest]

    def let_go(self, slot: int) -> None:
        """Hold the text of a slot no longer, because `text_of` knows it now."""
        if slot in self._waiting:
            self._waiting[slot] = None

    async def vectors(self, texts: Sequence[str]) -> TextVectors | None:
        """Return one vector per text; None without texts, without an encoder, or if it is out of reach just now."""
        return await self._encoder.vectors(texts) if texts and self._encoder else None

    async def encode_waiting(self) -> list[int]:
        """Encode the newest texts that wait, at most `BATCH`; return their slots."""
        slots = [*self._waiting][-BATCH:]
        vectors = await self.vectors([self._waiting[slot] or self._text_of(slot) for slot in slots])
        if vectors is None:
            return []
        for slot, vector in zip(slots, vectors, strict=True):
            del self._waiting[slot]
            self._keep(slot, vector)
        if self._written == len(slots):  # How many there is room for is known now; older ones would replace newer ones.
            first = self._newest - self._room + 1
            self._waiting = {slot: text for slot, text in self._waiting.items() if slot >= first}
        return slots

    def _keep(self, slot: int, vector: TextVectors) -> None:
        if not self._sum.size:
            self._sum = np.zeros(len(vector), dtype=np.float64)
        at = self._written % self._room
        if at >= len(self._slots):
            self._grow(min(self._room, max(1024, len(self._slots) * 3 // 2)))
        if self._written >= self._room:
            self._sum -= self._vector(at)
        scale = max(float(np.abs(vector).max()), 1e-9) / 127
        self._slots[at], self._scales[at], self._vectors[at] = slot, scale, np.round(vector / scale)
        self._sum += self._vector(at)
        self._written += 1
        if self._kept > COMPARED and self._kept >= 2 * self._coded:
            self._code_all()
        elif self._coded:
            self._codes[:, at] = self._code(self._vector(at)[np.newaxis])[:, 0]

    def _grow(self, room: int) -> None:
        more = room - len(self._slots)
        self._slots = np.concatenate([self._slots, np.full(more, -1)])
        self._scales = np.concatenate([self._scales, np.zeros(more, dtype=np.float32)])
        self._vectors = np.vstack(
            [self._vectors.reshape(-1, len(self._sum)), np.zeros((more, len(self._sum)), dtype=np.int8)]
        )
        self._codes = np.hstack([self._codes, np.zeros((len(self._codes), more), dtype=np.uint64)])

    def _vector(self, at: int) -> TextVectors:
        return np.asarray(self._vectors[at] * self._scales[at], dtype=np.float32)

    def _read(self, places: NDArray[np.int64]) -> TextVectors:
        return np.asarray(self._vectors[places] * self._scales[places, np.newaxis], dtype=np.float32)

    def _code_all(self) -> None:
        """Choose the centre anew, and code all vectors: the mean of few texts is not that of many."""
        self._coded = self._kept
        self._code_centre = self._centre()
        codes = [
            self._code(self._read(np.arange(start, min(start + CODED_AT_ONCE, self._kept))))
            for start in range(0, self._kept, CODED_AT_ONCE)
        ]
        self._codes = np.zeros((len(codes[0]), len(self._slots)), dtype=np.uint64)
        self._codes[:, : self._kept] = np.hstack(codes)

    def _code(self, vectors: TextVectors) -> NDArray[np.uint64]:
        """Return the code of each vector (row) as a column of words of 64 bits."""
        bits = (vectors > self._code_centre)[:, :CODE_BITS]
        bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 64)))
        return np.ascontiguousarray(np.packbits(bits, axis=1).view(np.uint64).T)

    def _centre(self) -> TextVectors:
        mean = self._sum / self._kept if self._kept >= _CENTRED_FROM else np.zeros(1)
        return np.asarray(mean, dtype=np.float32)

    async def searched(self, texts: Sequence[str]) -> list[TextVectors | None]:
        """Return the vectors of texts to search for; None for each if there is no meaning to compare them with."""
        vectors = await self.vectors(texts) if self._kept else None
        return [None] * len(texts) if vectors is None else [*vectors]

    def joined(self, vector: TextVectors | None, by_words: Likeness) -> Likeness:
        """Return the likeness of a text to each slot: by words and by meaning, or by words where no meaning is known.

        It is exact for the `COMPARED` slots that are most alike, and estimated from codes for the others.

        Args:
            vector: The text's vector; None if there is none.
            by_words: The likeness by words of each slot, 0..1.
        """
        if vector is None:
            return by_words
        places = np.flatnonzero(self._slots[: self._kept] < len(by_words))
        found = by_words.copy()
        if len(places) > COMPARED:
            slots = self._slots[places]
            found[slots] = self.join(by_words[slots], self._estimated(vector, places))
            places = places[np.argpartition(-found[slots], COMPARED)[:COMPARED]]
        slots = self._slots[places]
        found[slots] = self.join(by_words[slots], self.cosines(vector[np.newaxis], self._read(places))[0])
        return found

    def _estimated(self, vector: TextVectors, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return about how like a vector is to each of these, by the share of signs that differ."""
        differ = np.zeros(self._kept, dtype=np.uint16)
        for one, those in zip(self._code(vector[np.newaxis])[:, 0], self._codes, strict=True):
            differ += np.bitwise_count(those[: self._kept] ^ one)
        bits = min(CODE_BITS, len(vector))
        return np.asarray(np.cos(np.pi / bits * np.arange(bits + 1))[differ[places]], dtype=np.float32)

    def stored(self, below: int, among: Collection[int]) -> tuple[NDArray[np.int64], TextVectors]:
        """Return which of these slots are known by meaning, and their vectors.

        Args:
            below: Leave out slots from this one on.
            among: The slots.
        """
        slots = self._slots[: self._kept]
        places = np.flatnonzero((slots < below) & np.isin(slots, [*among]))
        return slots[places], self._read(places)

    def cosines(self, these: TextVectors, those: TextVectors) -> NDArray[np.float32]:
        """Return the likeness by meaning of each of these vectors (rows) to each of those (columns), -1..1."""
        if not len(these) or not len(those):
            return np.zeros((len(these), len(those)), dtype=np.float32)
        centre = self._centre()
        left, right = these - centre, those - centre
        sizes = np.outer(np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1))
        return np.asarray(left @ right.T / np.maximum(sizes, 1e-9), dtype=np.float32)

    def join(self, by_words: Likeness, by_meaning: NDArray[np.float32]) -> Likeness:
        """Return the likeness by words and by meaning of the same pairs."""
        return (1 - MEANING_SHARE) * by_words + MEANING_SHARE * np.maximum(by_meaning, 0).astype(np.float64)
