"""Classification of one question by the prompt, the trained layers and the examples in the chat."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.features import Floats, casefolded, gram_counts
from bot.embedded.linear import LinearModel, from_prompt, softmax
from bot.embedded.prompt import guess_labels
from bot.embedded.reasons import deciding_words, reason_for
from bot.embedded.trained import PRIOR_ROWS, TrainedModel

_MIN_EVIDENCE = np.float32(1e-3)
"""Positive floor for the evidence of each character: if all words are equal, the longest are quoted."""

Shot = tuple[str, str]
"""An example question from the chat, and its label."""


@dataclass(frozen=True)
class Prediction:
    """The probability of each label, and the reason for the likeliest label."""

    labels: tuple[str, ...]
    probabilities: Floats
    reason: str

    @property
    def label(self) -> str:
        return self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        return float(self.probabilities.max())


def classify(
    model: TrainedModel, prompt: str, labels: Sequence[str], question: str, shots: Sequence[Shot] = ()
) -> Prediction:
    """Choose one of the labels; equal arguments always give the same answer.

    A single label needs no choice. Its reason quotes the words that support it against the other labels of the model
    and the prompt.

    Args:
        model: The trained model; a model without layers knows only the prompt.
        prompt: The system message.
        labels: The labels to choose from: at least one, without duplicates.
        question: The question to classify.
        shots: Example questions from the chat with their labels; examples closer to the question count more.
    """
    choices = tuple(labels)
    if len(choices) == 1:
        return _explain_only_label(model, prompt, choices[0], question)
    prompt_model = from_prompt(prompt, choices, model.encoder)
    probabilities = model.probabilities(softmax(prompt_model.logits(question)), choices, question)
    probabilities = _apply_shots(probabilities, choices, question, shots)
    label = choices[int(probabilities.argmax())]
    return Prediction(choices, probabilities, reason_for(question, _evidence(model, prompt_model, question, label)))


def _explain_only_label(model: TrainedModel, prompt: str, label: str, question: str) -> Prediction:
    """Return the given label with a reason: the words that support it most, or else contradict it least."""
    rivals = tuple(dict.fromkeys((label, *model.labels, *guess_labels(prompt))))
    evidence = _evidence(model, from_prompt(prompt, rivals, model.encoder), question, label)
    if len(evidence) and not deciding_words(question, evidence):
        evidence = evidence - evidence.min() + _MIN_EVIDENCE
    return Prediction((label,), np.ones(1, dtype=np.float32), reason_for(question, evidence))


def _apply_shots(probabilities: Floats, labels: Sequence[str], question: str, shots: Sequence[Shot]) -> Floats:
    votes = np.zeros(len(labels), dtype=np.float32)
    for text, label in shots:
        if label in labels:
            at = labels.index(label)
            votes[at] = max(votes[at], _cosine_similarity(question, text) ** 2)
    nearest = float(votes.max(initial=0))
    if nearest == 0:
        return probabilities
    mixed: Floats = (1 - nearest) * probabilities + nearest * votes / votes.sum()
    return mixed


def _cosine_similarity(first: str, second: str) -> float:
    """Return the cosine similarity of two texts' features, from 0 to 1."""
    left, right = gram_counts(first), gram_counts(second)
    shared = sum(count * right.get(gram, 0) for gram, count in left.items())
    size = sum(count**2 for count in left.values()) * sum(count**2 for count in right.values())
    return float(shared / size**0.5) if size else 0.0


def _evidence(model: TrainedModel, prompt_model: LinearModel, question: str, label: str) -> Floats:
    """Combine the evidence of the prompt and of each layer, in the proportions that their probabilities have."""
    found, seen = prompt_model.evidence(question, label), float(PRIOR_ROWS)
    for layer in model.layers:
        if label in layer.linear.labels:
            rows = layer.rows[layer.linear.labels.index(label)]
            share = seen / (seen + rows)
            found = share * found + (1 - share) * layer.linear.evidence(question, label)
            seen += rows
    return found if len(found) else np.zeros(len(casefolded(question)), dtype=np.float32)
