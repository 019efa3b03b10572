"""The order of the review queue, for any open questions."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.gain import LOW, RARE, Candidate, QueueReason, ordered, why

CATEGORIES = st.sampled_from(["labor", "it", "other"])
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        question_id=st.uuids().map(lambda one: one.hex),
        category=CATEGORIES,
        confidence=st.none() | st.floats(0, 1),
        shadow=st.none() | CATEGORIES,
        near_conflict=st.booleans(),
    ),
    max_size=20,
    unique_by=lambda one: one.question_id,
)
ROWS = st.dictionaries(CATEGORIES, st.integers(0, 2 * RARE))


@given(CANDIDATES, ROWS, st.integers())
def test_every_question_is_listed_once_in_an_order_that_depends_on_nothing_else(
    candidates: list[Candidate], rows: dict[str, int], seed: int
) -> None:
    queue = ordered(candidates, rows)
    assert sorted(one.question_id for one, _ in queue) == sorted(one.question_id for one in candidates)
    shuffled = list(candidates)
    Random(seed).shuffle(shuffled)
    assert ordered(shuffled, rows) == queue


@given(CANDIDATES, ROWS)
def test_a_better_reason_comes_first_and_within_one_the_less_sure(
    candidates: list[Candidate], rows: dict[str, int]
) -> None:
    places = list(QueueReason)
    for (one, reason), (other, next_reason) in itertools.pairwise(ordered(candidates, rows)):
        assert places.index(reason) <= places.index(next_reason)
        if reason is next_reason is not QueueReason.RANDOM:
            assert one.sureness <= other.sureness


def test_each_reason_holds_where_it_says() -> None:
    sure = Candidate(question_id="q", category="it", confidence=0.99)
    many = {"it": RARE}
    assert why(sure, many) is QueueReason.RANDOM
    assert why(sure, {"it": RARE - 1}) is QueueReason.RARE
    assert why(sure.model_copy(update={"near_conflict": True}), many) is QueueReason.NEAR_CONFLICT
    assert why(sure.model_copy(update={"confidence": LOW - 0.01, "near_conflict": True}), many) is QueueReason.UNSURE
    assert why(sure.model_copy(update={"confidence": 0.1, "shadow": "labor"}), many) is QueueReason.DISAGREE
    assert why(sure.model_copy(update={"shadow": "it"}), many) is QueueReason.RANDOM
    assert why(sure.model_copy(update={"confidence": None}), many) is QueueReason.RANDOM
