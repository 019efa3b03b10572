"""Linear models over text features: what is answered with, whether it was made from a prompt or trained."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.encoders import Encoder
from bot.embedded.features import FUNCTION_WORDS, Floats, Vocabulary, folded, grams
from bot.embedded.prompt import catch_all, texts_of_labels


def softmax(logits: Floats) -> Floats:
    """Return the probabilities along the last axis."""
    risen = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = risen / risen.sum(axis=-1, keepdims=True)
    return shares


@dataclass(frozen=True)
class Linear:
    """Labels scored by weighted features; `weights` has a row a feature and a column a label."""

    labels: tuple[str, ...]
    vocabulary: Vocabulary
    weights: Floats
    bias: Floats

    def logits(self, text: str) -> Floats:
        """Return the score of each label."""
        columns, values = self.vocabulary.vector(text)
        found: Floats = values @ self.weights[columns] + self.bias
        return found

    def all_logits(self, texts: Sequence[str]) -> Floats:
        """Return `logits` of many texts at once, a row a text."""
        found: Floats = self.vocabulary.matrix(texts) @ self.weights + self.bias
        return found

    def evidence(self, text: str, label: str) -> Floats:
        """Return how much each character of `folded(text)` speaks for the label, against the mean of the others."""
        at = self.labels.index(label)
        columns, values = self.vocabulary.vector(text)
        pull = dict(
            zip(
                columns.tolist(), (self.weights[columns, at] - self.weights[columns].mean(axis=1)) * values, strict=True
            )
        )
        found = [(self.vocabulary.columns.get(gram), start, end) for gram, start, end in grams(text)]
        times: dict[int | None, int] = {}
        for column, _, _ in found:
            times[column] = times.get(column, 0) + 1
        characters = np.zeros(len(folded(text)), dtype=np.float32)
        for column, start, end in found:
            if column is not None:
                characters[start:end] += pull[column] / times[column] / max(end - start, 1)
        return characters


_SHARPNESS = 20.0  # measured: makes the scores of a prompt with a few examples a label well calibrated
_RIDGE = 1.0
_HEAD_START = 0.5


def documents_of(prompt: str, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return (text, label) for each label's own name and all that the prompt says of it.

    A name that is also a function word ("IT") is left out where there is more to go by.
    """
    found = texts_of_labels(prompt, labels)
    names = {label: [] if found[label] and label.casefold() in FUNCTION_WORDS else [label] for label in labels}
    return [(text, label) for label in labels for text in [*names[label], *found[label]]]


@functools.lru_cache(maxsize=64)
def from_prompt(prompt: str, labels: tuple[str, ...], encoder: Encoder | None = None) -> Linear:
    """Make the model that knows only what the prompt says: ridge regression on the few texts of each label.

    Each label's texts count the same in sum. A catch-all gets a small head start, so that it is the answer where
    nothing in the question speaks for any label.
    """
    documents = documents_of(prompt, labels)
    texts = [text for text, _ in documents]
    vocabulary = Vocabulary.of(texts, encoder)
    matrix = vocabulary.matrix(texts)
    wanted = np.array([[label == name for name in labels] for _, label in documents], dtype=np.float64)
    share = wanted.sum(axis=0)
    weight = (wanted / share).sum(axis=1) * share.mean()
    gram = (matrix @ matrix.T).toarray().astype(np.float64)
    solved = np.linalg.solve(gram + np.diag(_RIDGE / weight), wanted - 1 / len(labels))
    weights = (matrix.T @ solved) * _SHARPNESS
    bias = np.array([_HEAD_START * (label == catch_all(documents)) for label in labels], dtype=np.float32)
    return Linear(labels, vocabulary, weights.astype(np.float32), bias)
