"""The product of a label's pieces is the label's probability, whatever the labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.pieces import chosen

_LABELS = st.lists(st.text("ab労務_", min_size=1, max_size=9), min_size=1, max_size=8, unique=True)


@given(_LABELS)
def test_pieces_multiply_to_the_probability_of_the_label(labels: list[str]) -> None:
    weights = np.random.default_rng(len(str(labels))).random(len(labels)).astype(np.float32) + np.float32(0.01)
    shares = weights / weights.sum()
    for at, label in enumerate(labels):
        pieces = chosen(labels, shares, at)
        assert "".join(piece.text for piece in pieces) == label
        assert math.exp(sum(piece.logprob for piece in pieces)) == pytest.approx(shares[at], rel=1e-4)
        for piece in pieces:
            assert sum(math.exp(other) for _, other in piece.others) == pytest.approx(1)


def test_what_is_impossible_has_a_number_too() -> None:
    pieces = chosen(["yes", "no"], np.array([1, 0], dtype=np.float32), 1)
    assert [piece.logprob for piece in pieces] == [-9999.0]
    assert pieces[0].as_json(1)["top_logprobs"][0]["token"] == "yes"
