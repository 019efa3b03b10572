"""Text to features: character n-grams and words after NFKC and case folding, for any language."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from bot.embedded.encoders import Encoder

Floats = NDArray[np.float32]

_RUN = re.compile(r"[^\W_]+")
_HIRAGANA = re.compile(r"[\u3041-\u309fー ]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
# fmt: off
FUNCTION_WORDS = frozenset({
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could", "did", "do", "does", "for", "from",
    "has", "have", "hello", "how", "i", "if", "in", "is", "it", "its", "me", "my", "of", "on", "or", "our",
    "please", "so", "that", "the", "their", "there", "these", "they", "this", "to", "us", "was", "we", "were",
    "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
})
# fmt: on
"""Words that hold English sentences together and alone say nothing of the subject."""
_LONGEST = 4
_FOREIGN = 0.3  # measured: what an unknown feature takes of a text's length, beside a known one that is as rare
_GRAMMAR = 0.5  # measured: Japanese written in hiragana alone is mostly grammar, and says less of the subject
_REMEMBERED = 4096


def visible(text: str) -> str:
    """Return the text in compatibility form (NFKC), as a reason quotes it."""
    return unicodedata.normalize("NFKC", text)


def folded(text: str) -> str:
    """Return `visible(text)` without case; each character keeps its place, so that positions in both agree."""
    return "".join(low if len(low := char.casefold()) == 1 else char for char in visible(text))


def is_japanese(text: str) -> bool:
    """Tell whether the text holds kana or kanji."""
    return _CJK.search(text) is not None


def grams(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each feature of the text with the span of `folded(text)` that it comes from."""
    words: list[tuple[str, int, int]] = []
    for match in _RUN.finditer(folded(text)):
        start, end = match.span()
        run = f" {match.group()} "
        for size in range(1, _LONGEST + 1):
            for at in range(len(run) - size + 1):
                if (gram := run[at : at + size]) != " ":
                    yield gram, max(start, start + at - 1), min(end, start + at - 1 + size)
        if not is_japanese(run):
            words.append((run.strip(), start, end))
    for word, start, end in words:
        yield f"_{word}", start, end
    for (first, start, _), (second, _, end) in pairwise(words):
        yield f"_{first} {second}", start, end


@lru_cache(maxsize=_REMEMBERED)
def counts(text: str) -> dict[str, int]:
    """Count the features of a text."""
    return Counter(gram for gram, _, _ in grams(text))


@dataclass(frozen=True)
class Vocabulary:
    """The features that a model knows and how rare each is, then the dimensions of the encoder where there is one.

    Features that it does not know are passed over. Both parts of a text have unit length.
    """

    columns: dict[str, int]
    rarity: Floats
    encoder: Encoder | None = None

    @classmethod
    def of(cls, texts: Sequence[str], encoder: Encoder | None = None, *, at_most: int = 1 << 18) -> "Vocabulary":
        """Learn the vocabulary of the texts; past `at_most` features, the ones found in most texts stay."""
        found: Counter[str] = Counter()
        for text in texts:
            found.update(counts(text).keys())
        kept = sorted(sorted(found, key=lambda gram: (-found[gram], gram))[:at_most])
        documents = np.array([found[gram] for gram in kept], dtype=np.float64)
        rarity = np.log((1 + len(texts)) / (1 + documents)) + 1
        rarity[[_HIRAGANA.fullmatch(gram) is not None for gram in kept]] *= _GRAMMAR
        return cls({gram: at for at, gram in enumerate(kept)}, rarity.astype(np.float32), encoder)

    def vector(self, text: str) -> tuple[NDArray[np.intp], Floats]:
        """Return the columns of what the text has and their values: sublinear TF-IDF, and what the encoder says."""
        columns, values = self._known(text)
        if self.encoder:
            meaning = _encoded(self.encoder, [text])[0]
            columns = np.concatenate([columns, len(self.columns) + np.arange(len(meaning))])
            values = np.concatenate([values, meaning])
        return columns, values

    def _known(self, text: str) -> tuple[NDArray[np.intp], Floats]:
        found = counts(text)
        known = [(column, count) for gram, count in found.items() if (column := self.columns.get(gram)) is not None]
        columns = np.array([column for column, _ in known], dtype=np.intp)
        tally = np.array([count for _, count in known], dtype=np.float32)
        values = (1 + np.log(tally)) * self.rarity[columns] if known else tally
        foreign = (len(found) - len(known)) * float(self.rarity.max(initial=1)) ** 2
        return columns, values / max(float(np.linalg.norm(values) ** 2 + _FOREIGN * foreign) ** 0.5, 1e-9)

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """Return one row of features a text."""
        rows = [self._known(text) for text in texts]
        ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        columns = np.concatenate([columns for columns, _ in rows]) if rows else np.array([], dtype=np.intp)
        values = np.concatenate([values for _, values in rows]) if rows else np.array([], dtype=np.float32)
        found = csr_matrix((values, columns, ends), shape=(len(rows), len(self.columns)))
        return hstack([found, csr_matrix(_encoded(self.encoder, texts))]).tocsr() if self.encoder else found


def _encoded(encoder: Encoder, texts: Sequence[str]) -> Floats:
    found = np.asarray(encoder(texts), dtype=np.float32)
    shaped: Floats = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return shaped
