"""The meaning of texts as vectors."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class TextEncoder(Protocol):
    """An encoder of texts as vectors: texts that mean the same have similar ones, whatever their words and language."""

    async def vectors(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Return one vector of length 1 per text; None if there is no encoder, or if it is out of reach just now."""
