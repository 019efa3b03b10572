"""Pieces of an answer and their log probabilities."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.pieces import cut_label

_LABELS = st.lists(st.text("ab労務_", min_size=1, max_size=9), min_size=1, max_size=8, unique=True)


@given(_LABELS)
def test_pieces_multiply_to_label_probability(labels: list[str]) -> None:
    weights = np.random.default_rng(len(str(labels))).random(len(labels)).astype(np.float32) + np.float32(0.01)
    shares = weights / weights.sum()
    for at, label in enumerate(labels):
        pieces = cut_label(labels, shares, at)
        assert "".join(piece.text for piece in pieces) == label
        assert math.exp(sum(piece.logprob for piece in pieces)) == pytest.approx(shares[at], rel=1e-4)
        for piece in pieces:
            assert sum(math.exp(other) for _, other in piece.alternatives) == pytest.approx(1)


def test_impossible_label_has_finite_log_probability() -> None:
    pieces = cut_label(["yes", "no"], np.array([1, 0], dtype=np.float32), 1)
    assert [piece.logprob for piece in pieces] == [-9999.0]
    assert pieces[0].as_json(1)["top_logprobs"][0]["token"] == "yes"
