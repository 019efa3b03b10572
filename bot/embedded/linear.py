"""Linear models over the features of texts, and the one that is built from a prompt."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.encoders import Encoder
from bot.embedded.features import FUNCTION_WORDS, Floats, TextSpace, Vocabulary, casefolded, grams
from bot.embedded.kernel import Features, logistic_coefficients, one_thread
from bot.embedded.prompt import catch_all_label, texts_of_labels


def softmax(logits: Floats) -> Floats:
    """Turn logits into probabilities along the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


@dataclass(frozen=True)
class LinearModel:
    """A linear classifier; its two matrices of weights have one row per feature and one column per label."""

    labels: tuple[str, ...]
    space: TextSpace
    character_weights: Floats
    meaning_weights: Floats
    bias: Floats

    def all_logits(self, texts: Sequence[str]) -> Floats:
        """Return the scores of many texts, one row per text. No sparse matrix is made: it would load scipy."""
        found = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        for row, text in zip(found, texts, strict=True):
            columns, values = self.space.vocabulary.vector(text)
            row[:] = values.astype(np.float32) @ self.character_weights[columns] + self.bias
        if len(self.meaning_weights):
            found += self.space.meanings(texts) @ self.meaning_weights
        return found

    def evidence(self, text: str, label: str) -> Floats:
        """Return how much each character of `casefolded(text)` supports the label, relative to all labels' mean.

        Only characters and words count here, not the meaning of the whole text.
        """
        at = self.labels.index(label)
        vocabulary = self.space.vocabulary
        columns, values = vocabulary.vector(text)
        weights = self.character_weights[columns]
        contributions = dict(zip(columns.tolist(), (weights[:, at] - weights.mean(axis=1)) * values, strict=True))
        found = [(vocabulary.columns.get(gram), start, end) for gram, start, end in grams(text)]
        occurrences: dict[int | None, int] = {}
        for column, _, _ in found:
            occurrences[column] = occurrences.get(column, 0) + 1
        characters = np.zeros(len(casefolded(text)), dtype=np.float32)
        for column, start, end in found:
            if column is not None:
                characters[start:end] += contributions[column] / occurrences[column] / max(end - start, 1)
        return characters


_STRENGTH = 1000.0
_TEMPERATURE = 0.75  # measured: the scores of a prompt with rules or a few examples are under-confident by this factor
_MEANING_SHARE = 0.75  # measured: a prompt has too few words for its characters to count more
_CATCH_ALL_BIAS = 0.1
_MOST_TEXTS = 600
"""Most texts of a prompt that are learned from, so that a long prompt is read in about a second."""
_CLAUSE = re.compile(r"[、。，,;；:：・/／\n]|\band\b|\bor\b|または|および|や(?=[^\u3041-\u309f])")


def documents_of(prompt: str, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of text and label: each label's own name, and all texts that the prompt gives for the label.

    A name that is also a function word ("IT") is left out if the prompt gives other texts for the label. A text of
    several clauses is followed by its clauses, because a question is about one of them.
    """
    return [*_read(prompt, tuple(labels))]


@functools.lru_cache(maxsize=64)  # each answer asks for those of the same prompt
def _read(prompt: str, labels: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = texts_of_labels(prompt, labels)
    names = {label: [] if found[label] and label.casefold() in FUNCTION_WORDS else [label] for label in labels}
    whole = [(text, label) for label in labels for text in [*names[label], *found[label]]]
    split = [pair for text, label in whole for pair in [(text, label), *((one, label) for one in clauses_of(text))]]
    if len(split) <= _MOST_TEXTS:
        return tuple(split)
    per_label = max(1, _MOST_TEXTS // len(labels))
    return tuple((text, label) for label in labels for text in [*names[label], *found[label]][:per_label])


def clauses_of(text: str) -> list[str]:
    """Return the clauses of a text that lists at least three things; of others, nothing."""
    parts = [part.strip() for part in _CLAUSE.split(text)]
    clauses = [part for part in parts if len(part) >= 2]
    return clauses if len(clauses) > 2 else []


PromptKey = tuple[str, tuple[str, ...], Encoder | None]
"""Prompt, labels and encoder."""
_MOST_PROMPTS = 64
prompt_models: dict[PromptKey, LinearModel] = {}
"""The models of the last prompts, the newest last."""


def from_prompt(prompt: str, labels: tuple[str, ...], encoder: Encoder | None = None) -> LinearModel:
    """Return what `read_prompt_model` builds; the models of the last prompts are kept."""
    key = prompt, labels, encoder
    found = prompt_models.get(key)
    if found is None:
        found = prompt_models[key] = read_prompt_model(prompt, labels, encoder)
        for old in [*prompt_models][:-_MOST_PROMPTS]:
            prompt_models.pop(old, None)
    return found


def read_prompt_model(prompt: str, labels: tuple[str, ...], encoder: Encoder | None) -> LinearModel:
    """Build the model that knows only the prompt, by logistic regression on the texts of each label.

    All labels have the same total weight, however many texts they have. A catch-all label gets a small positive bias,
    so that it wins if nothing in the question supports any label.
    """
    documents = documents_of(prompt, labels)
    texts = [text for text, _ in documents]
    space = space_of(texts, (), encoder)
    truth = np.array([labels.index(label) for _, label in documents])
    per_label = np.bincount(truth, minlength=len(labels)).astype(np.float32)
    weights = per_label.mean() / per_label[truth]
    share = _MEANING_SHARE if encoder else 0.0
    features = Features.of(space, texts)
    with one_thread():
        likeness = features.products().likeness(share)
        coefficients, bias = logistic_coefficients(likeness, truth, len(labels), weights, _STRENGTH)
    bias += _CATCH_ALL_BIAS * np.array([label == catch_all_label(documents) for label in labels], dtype=np.float32)
    scale = np.float32(1 / _TEMPERATURE)
    return LinearModel(
        labels,
        space,
        (1 - share) * scale * (features.characters.T @ coefficients),
        share * scale * (features.meanings.T @ coefficients),
        bias * scale,
    )


_PROMPT_ROWS = 10
"""Number of rows that weigh as much as the whole prompt in the centre of a company's texts."""


def space_of(prompt_texts: Sequence[str], questions: Sequence[str], encoder: Encoder | None) -> TextSpace:
    """Return the space of these texts, centred on the questions; with few questions also on the prompt's texts."""
    vocabulary = Vocabulary.of([*prompt_texts, *questions])
    if encoder is None:
        return TextSpace(vocabulary)
    centre = np.zeros(0, dtype=np.float32)
    if prompt_texts:
        centre = _PROMPT_ROWS * encoder.encode(prompt_texts).mean(axis=0)
    if questions:
        total = encoder.encode(questions).sum(axis=0)
        centre = centre + total if prompt_texts else total
    centre /= len(questions) + (_PROMPT_ROWS if prompt_texts else 0)
    return TextSpace(vocabulary, encoder, centre)
