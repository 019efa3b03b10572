"""Text features and their positions."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.embedded.features import Vocabulary, casefolded, gram_counts, grams, normalized


@given(st.text(max_size=60))
def test_every_feature_has_span_in_text(text: str) -> None:
    assert len(casefolded(text)) == len(normalized(text))
    for gram, start, end in grams(text):
        assert 0 <= start < end <= len(casefolded(text))
        assert gram.strip(" _").split(" ")[0] in casefolded(text)


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("aİßﬁ ｶﾞ漢あ_1")), max_size=60))
def test_counts_hold_the_features_in_order(text: str) -> None:
    assert list(gram_counts(text).items()) == list(Counter(gram for gram, _, _ in grams(text)).items())


def test_width_and_case_are_ignored() -> None:
    assert list(grams("ＶＰＮに ｶﾞｲﾄﾞ")) == list(grams("vpnに ガイド"))


def test_vector_has_unit_length_without_unknown_features() -> None:
    vocabulary = Vocabulary.of(["annual leave", "new laptop"])
    assert np.linalg.norm(vocabulary.vector("annual leave")[1]) == np.float32(1)
    assert len(vocabulary.vector("漢字")[0]) == 0


def test_vocabulary_keeps_most_common_features() -> None:
    vocabulary = Vocabulary.of(["ab", "ab", "cd"], max_features=3)
    assert set(vocabulary.columns) <= {gram for gram, _, _ in grams("ab")}
