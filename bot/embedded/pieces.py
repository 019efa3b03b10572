"""Cuts an answer into short pieces with log probabilities, as a model of several tokens a label gives them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.embedded.features import Floats

_LENGTH = 3
_UNLIKELY = -9999.0
"""OpenAI's value for the log probability of what is as good as impossible."""


@dataclass(frozen=True)
class Piece:
    """A piece of text, its log probability given all before it, and the likeliest pieces at its place."""

    text: str
    logprob: float = 0.0
    others: tuple[tuple[str, float], ...] = ()

    def as_json(self, top: int) -> dict[str, Any]:
        """Return OpenAI's shape with at most `top` alternatives, this piece among them where it is likely enough."""
        others = self.others or ((self.text, self.logprob),)
        return {**_token(self.text, self.logprob), "top_logprobs": [_token(*other) for other in others[:top]]}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode()), "logprob": logprob}


def plain(text: str) -> list[Piece]:
    """Cut text that was certain."""
    return [Piece(text[at : at + _LENGTH]) for at in range(0, len(text), _LENGTH)]


def _cut(text: str, whole: set[str]) -> tuple[str, ...]:
    """Cut a label; never where another label ends, so that no label's pieces begin another's."""
    inner = [at for at in range(_LENGTH, len(text), _LENGTH) if text[:at] not in whole]
    return tuple(text[start:end] for start, end in zip([0, *inner], [*inner, len(text)], strict=True))


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else _UNLIKELY


def chosen(labels: Sequence[str], probabilities: Floats, at: int) -> list[Piece]:
    """Cut the label at the place `at`; the product of its pieces' probabilities is the label's probability."""
    cuts = [_cut(label, set(labels)) for label in labels]
    weights = np.asarray(probabilities, dtype=np.float64)
    weights = weights / weights.sum()
    pieces: list[Piece] = []
    left = list(range(len(labels)))
    for step, text in enumerate(cuts[at]):
        before = float(sum(weights[other] for other in left))
        sums: dict[str, float] = {}
        for other in left:
            sums[cuts[other][step]] = sums.get(cuts[other][step], 0.0) + float(weights[other])
        ranked = sorted(((piece, _log(mass / before)) for piece, mass in sums.items()), key=lambda one: -one[1])
        pieces.append(Piece(text, _log(sums[text] / before), tuple(ranked)))
        left = [other for other in left if cuts[other][step] == text]
    return pieces
