"""Text features for any language: character n-grams and words, after NFKC and case folding."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import NDArray

from bot.embedded.encoders import Encoder, unit_rows

if TYPE_CHECKING:  # loaded at first use
    from scipy.sparse import csr_matrix

Floats = NDArray[np.float32]

_RUN = re.compile(r"[^\W_]+")
_HIRAGANA = re.compile(r"[\u3041-\u309fー ]+")
_KANA_OF_GRAMMAR = re.compile(r"[\u3041-\u309f]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
# fmt: off
FUNCTION_WORDS = frozenset({
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could", "did", "do", "does", "for", "from",
    "has", "have", "hello", "how", "i", "if", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our",
    "please", "so", "that", "the", "their", "there", "these", "they", "this", "to", "us", "was", "we", "were",
    "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
})
# fmt: on
"""English function words, which alone say nothing about the subject."""
_MAX_GRAM_LENGTH = 4
_UNKNOWN_WEIGHT = 0.3  # measured: effect of an unknown feature on a text's length, relative to the rarest known one
_HIRAGANA_WEIGHT = 0.5  # measured: hiragana alone is mostly grammar and says less about the subject
_CACHE_SIZE = 4096
GRAM_HASH = 8
"""Length of a feature's hash in bytes: two of a million features share one with a chance of 1 in 37 million."""
_BEGINNING, _END = 2_500, 500
"""Number of characters of a very long text that are read: so a ticket of any length costs a few milliseconds."""


def normalized(text: str) -> str:
    """Return the text in compatibility form (NFKC), which reasons quote."""
    return unicodedata.normalize("NFKC", text)


def casefolded(text: str) -> str:
    """Return `normalized(text)` in lower case and of the same length, so that positions in both agree."""
    plain = normalized(text)
    if len(lowered := plain.casefold()) == len(plain):  # so no character became two
        return lowered
    return "".join(lowered if len(lowered := char.casefold()) == 1 else char for char in plain)


def is_japanese(text: str) -> bool:
    """Return whether the text contains kana or kanji."""
    return _CJK.search(text) is not None


def subject_words(text: str) -> list[str]:
    """Return what says what a text is about: words but for English function words, and kanji and katakana one by one.

    Japanese is not divided into words, so that 有給申請 and 有給の申請 give the same.
    """
    runs = subject_runs(text)
    return [part for run in runs if run not in FUNCTION_WORDS for part in (run if is_japanese(run) else [run])]


def subject_runs(text: str) -> list[str]:
    """Return the words of a text, and the runs of kanji and katakana between its hiragana."""
    return _RUN.findall(_KANA_OF_GRAMMAR.sub(" ", casefolded(text)))


def grams(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each feature of the text with its start and end in `casefolded(text)`."""
    words: list[tuple[str, int, int]] = []
    for match in _RUN.finditer(casefolded(text)):
        start, end = match.span()
        run = f" {match.group()} "
        for size in range(1, _MAX_GRAM_LENGTH + 1):
            for at in range(len(run) - size + 1):
                if (gram := run[at : at + size]) != " ":
                    yield gram, max(start, start + at - 1), min(end, start + at - 1 + size)
        if not is_japanese(run):
            words.append((run.strip(), start, end))
    for word, start, end in words:
        yield f"_{word}", start, end
    for (first, start, _), (second, _, end) in pairwise(words):
        yield f"_{first} {second}", start, end


@lru_cache(maxsize=_CACHE_SIZE)
def gram_counts(text: str) -> dict[str, int]:
    """Return how often each of `grams` occurs in the text; of a very long text, in its beginning and its end."""
    if len(text) > _BEGINNING + _END:
        text = f"{text[:_BEGINNING]} {text[-_END:]}"
    runs = _RUN.findall(casefolded(text))
    found = Counter(piece for run in runs for piece in _pieces(f" {run} "))
    del found[" "]
    words = [run for run in runs if not is_japanese(run)]
    found.update(f"_{word}" for word in words)
    found.update(f"_{first} {second}" for first, second in pairwise(words))
    return found


def _pieces(run: str) -> list[str]:
    """Return the pieces of a run in the order of `grams`; most of the time of a long ticket goes here."""
    return [run[at : at + size] for size in range(1, _MAX_GRAM_LENGTH + 1) for at in range(len(run) - size + 1)]


class HashedColumns(Mapping[str, int]):
    """Feature → column, by hashes of the features alone: a model's file holds no word of the texts it learned from.

    Args:
        hashes: The hash of each feature, in the order of the columns.
    """

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self.hashes = tuple(hashes)
        self._columns = {one: column for column, one in enumerate(self.hashes)}

    def __getitem__(self, gram: str) -> int:
        return self._columns[gram_hash(gram)]

    def __len__(self) -> int:
        return len(self.hashes)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("the features themselves are not known")


@dataclass(frozen=True)
class AnyColumns:
    """The features that any of several vocabularies knows."""

    columns: Sequence[Mapping[str, int]]

    def __contains__(self, gram: object) -> bool:
        return any(gram in one for one in self.columns)


def gram_hash(gram: str) -> bytes:
    """Return the `GRAM_HASH` bytes that stand for a feature in a model's file."""
    return hashlib.blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=GRAM_HASH).digest()


def hashes_of(columns: Mapping[str, int]) -> tuple[bytes, ...]:
    """Return the hash of each feature, in the order of the columns."""
    return columns.hashes if isinstance(columns, HashedColumns) else tuple(map(gram_hash, columns))


@dataclass(frozen=True)
class Vocabulary:
    """The features that a model knows, and the rarity of each.

    A text's features are scaled to unit length. Unknown features have no column, but they count towards the length.
    """

    columns: Mapping[str, int]
    rarity: Floats

    @classmethod
    def of(cls, texts: Sequence[str], *, max_features: int = 1 << 18) -> "Vocabulary":
        """Build the vocabulary of the texts from the `max_features` features that occur in the most texts."""
        found: Counter[str] = Counter()
        for text in texts:
            found.update(gram_counts(text).keys())
        kept = sorted(sorted(found, key=lambda gram: (-found[gram], gram))[:max_features])
        documents = np.array([found[gram] for gram in kept], dtype=np.float64)
        rarity = np.log((1 + len(texts)) / (1 + documents)) + 1
        rarity[[_HIRAGANA.fullmatch(gram) is not None for gram in kept]] *= _HIRAGANA_WEIGHT
        return cls({gram: at for at, gram in enumerate(kept)}, rarity.astype(np.float32))

    def vector(self, text: str) -> tuple[NDArray[np.intp], Floats]:
        """Return columns and values of the text: the sublinear TF-IDF of its features."""
        found = gram_counts(text)
        known = [(column, count) for gram, count in found.items() if (column := self.columns.get(gram)) is not None]
        columns = np.array([column for column, _ in known], dtype=np.intp)
        tally = np.array([count for _, count in known], dtype=np.float32)
        values = (1 + np.log(tally)) * self.rarity[columns] if known else tally
        unknown = (len(found) - len(known)) * float(self.rarity.max(initial=1)) ** 2
        return columns, values / max(float(np.linalg.norm(values) ** 2 + _UNKNOWN_WEIGHT * unknown) ** 0.5, 1e-9)

    def matrix(self, texts: Sequence[str]) -> "csr_matrix":
        """Return the vectors of many texts, one row per text."""
        rows = [self.vector(text) for text in texts]
        ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        columns = np.concatenate([columns for columns, _ in rows]) if rows else np.array([], dtype=np.intp)
        values = np.concatenate([values for _, values in rows]) if rows else np.array([], dtype=np.float32)
        return scipy.sparse.csr_matrix((values.astype(np.float32), columns, ends), shape=(len(rows), len(self.columns)))


@dataclass(frozen=True)
class TextSpace:
    """A space of texts as numbers: their characters and, if there is an encoder, their meaning.

    Attributes:
        vocabulary: The known features of characters and words.
        encoder: The sentence encoder; None for none.
        centre: The mean vector of the company's own texts. It is subtracted from each vector, so that what all
            questions share does not count as likeness.
    """

    vocabulary: Vocabulary
    encoder: Encoder | None = None
    centre: Floats | None = None
    _lasting: dict[tuple[str, ...], Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def meanings(self, texts: Sequence[str]) -> Floats:
        """Return the encoder's vectors, centred and of length 1; without an encoder, vectors without entries."""
        if self.encoder is None or not texts:
            return np.zeros(
                (len(texts), 0 if self.encoder is None or self.centre is None else len(self.centre)), np.float32
            )
        vectors = self.encoder.encode(texts)
        return unit_rows(vectors if self.centre is None else vectors - self.centre)

    def company_likeness(self, texts: Sequence[str]) -> Floats:
        """Return how like each text is to the centre of the company's own texts, by the encoder's vectors."""
        if self.encoder is None or self.centre is None or not texts:
            return np.zeros(len(texts), dtype=np.float32)
        found: Floats = self.encoder.encode(texts) @ unit_rows(self.centre[None])[0]
        return found

    def lasting_meanings(self, texts: tuple[str, ...]) -> Floats:
        """Return `meanings` of texts that every question is compared with: they are kept as long as the space is."""
        return self.lasting(texts, lambda: self.meanings(texts))

    def lasting(self, key: tuple[str, ...], make: Callable[[], Floats]) -> Floats:
        """Return what `make` returned at the first call with this key."""
        found = self._lasting.get(key)
        if found is None:
            found = self._lasting[key] = make()
        return found
