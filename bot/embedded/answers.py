"""Classifies one question: what the prompt says, what was trained, and what the chat shows as examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.features import Floats, counts, folded
from bot.embedded.linear import Linear, from_prompt, softmax
from bot.embedded.prompt import labels_named_in
from bot.embedded.reasons import deciding_words, reason_for
from bot.embedded.trained import TRUST, Trained

_ANYTHING = np.float32(1e-3)
"""More than nothing: then the longest words are named where no word says more than another."""

Shot = tuple[str, str]
"""An earlier question of the chat and the label that was given for it."""


@dataclass(frozen=True)
class Prediction:
    """The probability of each label, and why the likeliest one."""

    labels: tuple[str, ...]
    probabilities: Floats
    reason: str

    @property
    def label(self) -> str:
        return self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        return float(self.probabilities.max())


def classified(
    model: Trained, prompt: str, labels: Sequence[str], question: str, shots: Sequence[Shot] = ()
) -> Prediction:
    """Answer with one of the labels; the same arguments always give the same answer.

    Args:
        model: What was trained; an empty one knows only the prompt.
        prompt: The system message.
        labels: What to choose from, at least one, no two alike. Of one alone it is said what in the question speaks for
            it, against the other labels that the prompt names.
        question: What was asked.
        shots: Questions with settled labels that the chat shows; the nearer one is to the question, the more it counts.
    """
    own = tuple(labels)
    if len(own) == 1:
        return _argued(model, prompt, own[0], question)
    said = from_prompt(prompt, own, model.encoder)
    probabilities = model.probabilities(softmax(said.logits(question)), own, question)
    probabilities = _reminded(probabilities, own, question, shots)
    label = own[int(probabilities.argmax())]
    return Prediction(own, probabilities, reason_for(question, _evidence(model, said, question, label)))


def _argued(model: Trained, prompt: str, label: str, question: str) -> Prediction:
    """Answer with the label that was given, for the words that speak for it most, or else least against it."""
    rivals = tuple(dict.fromkeys((label, *model.labels, *labels_named_in(prompt))))
    evidence = _evidence(model, from_prompt(prompt, rivals, model.encoder), question, label)
    if len(evidence) and not deciding_words(question, evidence):
        evidence = evidence - evidence.min() + _ANYTHING
    return Prediction((label,), np.ones(1, dtype=np.float32), reason_for(question, evidence))


def _reminded(probabilities: Floats, labels: Sequence[str], question: str, shots: Sequence[Shot]) -> Floats:
    votes = np.zeros(len(labels), dtype=np.float32)
    for text, label in shots:
        if label in labels:
            at = labels.index(label)
            votes[at] = max(votes[at], _likeness(question, text) ** 2)
    nearest = float(votes.max(initial=0))
    if nearest == 0:
        return probabilities
    mixed: Floats = (1 - nearest) * probabilities + nearest * votes / votes.sum()
    return mixed


def _likeness(one: str, other: str) -> float:
    """Return the cosine of two texts' features, 0 to 1."""
    mine, theirs = counts(one), counts(other)
    shared = sum(count * theirs.get(gram, 0) for gram, count in mine.items())
    size = sum(count**2 for count in mine.values()) * sum(count**2 for count in theirs.values())
    return float(shared / size**0.5) if size else 0.0


def _evidence(model: Trained, said: Linear, question: str, label: str) -> Floats:
    """Weigh what each model found in the question as the models themselves were weighed for this label."""
    found, seen = said.evidence(question, label), float(TRUST)
    for layer in model.layers:
        if label in layer.linear.labels:
            rows = layer.rows[layer.linear.labels.index(label)]
            share = seen / (seen + rows)
            found = share * found + (1 - share) * layer.linear.evidence(question, label)
            seen += rows
    return found if len(found) else np.zeros(len(folded(question)), dtype=np.float32)
