"""The packed parts of an index."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.similarity import packed
from bot.similarity.packed import Postings

entries = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), max_size=40)


@pytest.fixture(autouse=True)
def _sort_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_UNSORTED", 3)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), entries), max_size=6))
def test_numbers_keep_their_order_when_merged(steps: list[tuple[bool, list[tuple[int, int]]]]) -> None:
    postings, expected = Postings(), dict[int, list[int]]()
    for at_once, some in steps:
        for key, number in some:
            expected.setdefault(key, []).append(number)
        if at_once:
            postings.extend([key for key, _ in some], [number for _, number in some])
        else:
            for key, number in some:
                postings.add(key, number)
        assert {key: postings.listed(key) for key in range(10) if postings.listed(key)} == expected
    again = Postings()
    again.take(postings.parts())
    assert {key: again.of(key).tolist() for key in range(10) if len(again.of(key))} == expected
