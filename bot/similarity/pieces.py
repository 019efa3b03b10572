"""Which of many texts share a run of characters with a reason, by hashes of their pieces."""

from array import array

import numpy as np

from bot.domain.reason import RUN_FOLDS, grams, windows
from bot.similarity.packed import Packed

MOST_UNSORTED = 4_096
"""Number of new pieces from which on they are sorted in among the others."""
_BITS = 0xFFFF_FFFF


class Pieces:
    """Finds texts by their pieces. A piece takes 8 bytes, and a look-up does not grow with the number of texts.

    Two pieces may have the same hash, so a text that is found may share nothing. No text that shares a run is missed.
    """

    def __init__(self) -> None:
        self._texts = 0
        self._hashes = np.empty(0, np.uint32)
        self._numbers = np.empty(0, np.uint32)
        self._new_hashes = array("I")
        self._new_numbers = array("I")

    def follow(self, texts: Packed) -> None:
        """Take up the texts that were added to the end since the last call."""
        for number in range(self._texts, len(texts)):
            for fold in RUN_FOLDS:
                for piece in grams(fold(texts[number])):
                    self._new_hashes.append(hash(piece) & _BITS)
                    self._new_numbers.append(number)
        self._texts = len(texts)
        if len(self._new_hashes) > MOST_UNSORTED:
            self._sort()

    def sharing(self, reason: str) -> list[int]:
        """Return the numbers of the texts that may share a run of `REPEATED_RUN` characters with the reason."""
        wanted = np.unique([hash(part) & _BITS for fold in RUN_FOLDS for part in windows(fold(reason))]).astype(
            np.uint32
        )
        starts, stops = (np.searchsorted(self._hashes, wanted, side) for side in ("left", "right"))
        found = {int(n) for at in np.flatnonzero(stops > starts) for n in self._numbers[starts[at] : stops[at]]}
        unsorted = np.isin(np.array(self._new_hashes, np.uint32), wanted)
        return sorted(found | {self._new_numbers[at] for at in np.flatnonzero(unsorted)})

    def _sort(self) -> None:
        hashes = np.concatenate([self._hashes, np.array(self._new_hashes, np.uint32)])
        numbers = np.concatenate([self._numbers, np.array(self._new_numbers, np.uint32)])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._numbers = hashes[order], numbers[order]
        self._new_hashes, self._new_numbers = array("I"), array("I")
