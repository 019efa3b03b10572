"""Features with their places in the text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.features import Vocabulary, folded, grams, visible


@given(st.text(max_size=60))
def test_every_feature_has_a_place_in_the_text(text: str) -> None:
    assert len(folded(text)) == len(visible(text))
    for gram, start, end in grams(text):
        assert 0 <= start < end <= len(folded(text))
        assert gram.strip(" _").split(" ")[0] in folded(text)


def test_width_and_case_do_not_matter() -> None:
    assert list(grams("ＶＰＮに ｶﾞｲﾄﾞ")) == list(grams("vpnに ガイド"))


def test_a_text_has_unit_length_and_unknown_words_are_passed_over() -> None:
    vocabulary = Vocabulary.of(["annual leave", "new laptop"])
    assert np.linalg.norm(vocabulary.vector("annual leave")[1]) == np.float32(1)
    assert len(vocabulary.vector("漢字")[0]) == 0


def test_of_too_many_features_the_common_ones_stay() -> None:
    vocabulary = Vocabulary.of(["ab", "ab", "cd"], at_most=3)
    assert set(vocabulary.columns) <= {gram for gram, _, _ in grams("ab")}
