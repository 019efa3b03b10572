"""A sentence encoder for tests, which training programs load in no time."""

from collections.abc import Callable, Sequence

import numpy as np

from bot.embedded.encoders import Vectors

TINY_ENCODER = "tests.kits.tiny_encoder:tiny_encoder"
"""How a setting names it."""
_MEANINGS = [("有給", "バカンス"), ("面接", "interview")]


def tiny_encoder() -> Callable[[Sequence[str]], Vectors]:
    """Return a function that knows two meanings, each in two languages."""

    def encode(texts: Sequence[str]) -> Vectors:
        return np.array(
            [[any(word in text for word in words) for words in _MEANINGS] for text in texts], dtype=np.float32
        )

    return encode
