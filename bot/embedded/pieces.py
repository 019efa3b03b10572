"""Answers cut into short pieces with log probabilities, like the tokens of a language model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bot.embedded.features import Floats

_PIECE_LENGTH = 3
_LOG_OF_ZERO = -9999.0
"""OpenAI's log probability of a token that is practically impossible."""


@dataclass(frozen=True)
class Piece:
    """A piece of text, its log probability given all earlier pieces, and the likeliest pieces at its position."""

    text: str
    logprob: float = 0.0
    alternatives: tuple[tuple[str, float], ...] = ()

    def as_json(self, top: int) -> dict[str, Any]:
        """Return the piece as OpenAI's token object, with at most `top` alternatives (the piece may be one of them)."""
        alternatives = self.alternatives or ((self.text, self.logprob),)
        return {**_token(self.text, self.logprob), "top_logprobs": [_token(*other) for other in alternatives[:top]]}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode()), "logprob": logprob}


def cut_text(text: str) -> list[Piece]:
    """Cut text that is certain: each piece has probability 1."""
    return [Piece(text[at : at + _PIECE_LENGTH]) for at in range(0, len(text), _PIECE_LENGTH)]


def _split_label(text: str, whole: set[str]) -> tuple[str, ...]:
    """Cut a label, but not where another label ends, so that no label's pieces are a prefix of another's."""
    inner = [at for at in range(_PIECE_LENGTH, len(text), _PIECE_LENGTH) if text[:at] not in whole]
    return tuple(text[start:end] for start, end in zip([0, *inner], [*inner, len(text)], strict=True))


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else _LOG_OF_ZERO


def cut_label(labels: Sequence[str], probabilities: Floats, at: int) -> list[Piece]:
    """Cut the label with the index `at`; its pieces' probabilities multiply to the label's probability."""
    cuts = [_split_label(label, set(labels)) for label in labels]
    weights = np.asarray(probabilities, dtype=np.float64)
    weights = weights / weights.sum()
    pieces: list[Piece] = []
    remaining = list(range(len(labels)))
    for step, text in enumerate(cuts[at]):
        total = float(sum(weights[other] for other in remaining))
        sums: dict[str, float] = {}
        for other in remaining:
            sums[cuts[other][step]] = sums.get(cuts[other][step], 0.0) + float(weights[other])
        ranked = sorted(((piece, _log(mass / total)) for piece, mass in sums.items()), key=lambda one: -one[1])
        pieces.append(Piece(text, _log(sums[text] / total), tuple(ranked)))
        remaining = [other for other in remaining if cuts[other][step] == text]
    return pieces
