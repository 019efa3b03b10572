"""Search for texts that share a run of characters with a reason, by keys of their pieces."""

from array import array

import numpy as np

from bot.domain.reason import RUN_FOLDS, grams, windows
from bot.similarity.packed import MOST_UNSORTED, Bytes, Packed, Parts, Postings, joined_parts, key_of, member_parts

__all__ = ["MOST_UNSORTED", "Pieces"]


FOLLOWED = 20_000
"""Number of texts whose pieces are added at once."""


class Pieces:
    """An index of texts by their pieces. A piece takes 12 bytes; a look-up does not grow with the number of texts.

    Two pieces may have the same key, so a text that is found may share nothing. No text that shares a run is missed.
    """

    def __init__(self) -> None:
        self._texts = 0
        self._numbers = Postings()

    def follow(self, texts: Packed) -> None:
        """Take up the texts that were added to the end since the last call."""
        while self._texts < len(texts):
            keys, numbers = array("I"), array("I")
            for number in range(self._texts, len(texts))[:FOLLOWED]:
                text = texts[number]
                found = [key_of(piece) for fold in RUN_FOLDS for piece in grams(fold(text))]
                keys.extend(found)
                numbers.extend([number] * len(found))
            self._numbers.extend(keys, numbers)
            self._texts = min(self._texts + FOLLOWED, len(texts))

    def sharing(self, reason: str) -> list[int]:
        """Return the numbers of the texts that may share a run of `REPEATED_RUN` characters with the reason."""
        wanted = {key_of(part) for fold in RUN_FOLDS for part in windows(fold(reason))}
        return sorted(self._numbers.of_any(np.array([*wanted], np.uint32)))

    def parts(self) -> dict[str, Bytes]:
        return {"texts": str(self._texts).encode()} | joined_parts(numbers=self._numbers.parts())

    def take(self, parts: Parts) -> None:
        self._texts = int(parts["texts"])
        self._numbers.take(member_parts("numbers", parts))
