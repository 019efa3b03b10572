"""Linear models over text features, built from a prompt or trained on rows."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.encoders import Encoder
from bot.embedded.features import FUNCTION_WORDS, Floats, Vocabulary, casefolded, grams
from bot.embedded.prompt import catch_all_label, texts_of_labels


def softmax(logits: Floats) -> Floats:
    """Turn logits into probabilities along the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


@dataclass(frozen=True)
class LinearModel:
    """A linear classifier; `weights` has one row per feature and one column per label."""

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
        """Return the scores of many texts, one row per text."""
        found: Floats = self.vocabulary.matrix(texts) @ self.weights + self.bias
        return found

    def evidence(self, text: str, label: str) -> Floats:
        """Return how much each character of `casefolded(text)` supports the label, relative to all labels' mean."""
        at = self.labels.index(label)
        columns, values = self.vocabulary.vector(text)
        contributions = dict(
            zip(
                columns.tolist(), (self.weights[columns, at] - self.weights[columns].mean(axis=1)) * values, strict=True
            )
        )
        found = [(self.vocabulary.columns.get(gram), start, end) for gram, start, end in grams(text)]
        occurrences: dict[int | None, int] = {}
        for column, _, _ in found:
            occurrences[column] = occurrences.get(column, 0) + 1
        characters = np.zeros(len(casefolded(text)), dtype=np.float32)
        for column, start, end in found:
            if column is not None:
                characters[start:end] += contributions[column] / occurrences[column] / max(end - start, 1)
        return characters


_SHARPNESS = 20.0  # measured: calibrates the scores of a prompt that has a few examples per label
_RIDGE = 1.0
_CATCH_ALL_BIAS = 0.5


def documents_of(prompt: str, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of text and label: each label's own name, and all texts that the prompt gives for the label.

    A name that is also a function word ("IT") is left out if the prompt gives other texts for the label.
    """
    found = texts_of_labels(prompt, labels)
    names = {label: [] if found[label] and label.casefold() in FUNCTION_WORDS else [label] for label in labels}
    return [(text, label) for label in labels for text in [*names[label], *found[label]]]


@functools.lru_cache(maxsize=64)
def from_prompt(prompt: str, labels: tuple[str, ...], encoder: Encoder | None = None) -> LinearModel:
    """Build the model that knows only the prompt, by ridge regression on the few texts of each label.

    All labels have the same total weight, however many texts they have. A catch-all label gets a small positive bias,
    so that it wins if nothing in the question supports any label.
    """
    documents = documents_of(prompt, labels)
    texts = [text for text, _ in documents]
    vocabulary = Vocabulary.of(texts, encoder)
    matrix = vocabulary.matrix(texts)
    targets = np.array([[label == name for name in labels] for _, label in documents], dtype=np.float64)
    texts_per_label = targets.sum(axis=0)
    text_weights = (targets / texts_per_label).sum(axis=1) * texts_per_label.mean()
    gram = (matrix @ matrix.T).toarray().astype(np.float64)
    solved = np.linalg.solve(gram + np.diag(_RIDGE / text_weights), targets - 1 / len(labels))
    weights = (matrix.T @ solved) * _SHARPNESS
    bias = np.array([_CATCH_ALL_BIAS * (label == catch_all_label(documents)) for label in labels], dtype=np.float32)
    return LinearModel(labels, vocabulary, weights.astype(np.float32), bias)
