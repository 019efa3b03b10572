"""The order of the review queue."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.gain import RARE_BELOW, UNSURE_BELOW, Candidate, QueueReason, ordered, reason_for

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
ROWS = st.dictionaries(CATEGORIES, st.integers(0, 2 * RARE_BELOW))


@given(CANDIDATES, ROWS, st.integers())
def test_queue_lists_each_question_once_in_stable_order(
    candidates: list[Candidate], rows: dict[str, int], seed: int
) -> None:
    queue = ordered(candidates, rows)
    assert sorted(one.question_id for one, _ in queue) == sorted(one.question_id for one in candidates)
    shuffled = list(candidates)
    Random(seed).shuffle(shuffled)
    assert ordered(shuffled, rows) == queue


@given(CANDIDATES, ROWS)
def test_queue_is_sorted_by_reason_then_confidence(candidates: list[Candidate], rows: dict[str, int]) -> None:
    places = list(QueueReason)
    for (one, reason), (other, next_reason) in itertools.pairwise(ordered(candidates, rows)):
        assert places.index(reason) <= places.index(next_reason)
        if reason is next_reason is not QueueReason.RANDOM:
            assert one.sureness <= other.sureness


def test_each_reason_applies_to_its_case() -> None:
    sure = Candidate(question_id="q", category="it", confidence=0.99)
    many = {"it": RARE_BELOW}
    assert reason_for(sure, many) is QueueReason.RANDOM
    assert reason_for(sure, {"it": RARE_BELOW - 1}) is QueueReason.RARE
    assert reason_for(sure.model_copy(update={"near_conflict": True}), many) is QueueReason.NEAR_CONFLICT
    assert (
        reason_for(sure.model_copy(update={"confidence": UNSURE_BELOW - 0.01, "near_conflict": True}), many)
        is QueueReason.UNSURE
    )
    assert reason_for(sure.model_copy(update={"confidence": 0.1, "shadow": "labor"}), many) is QueueReason.DISAGREE
    assert reason_for(sure.model_copy(update={"shadow": "it"}), many) is QueueReason.RANDOM
    assert reason_for(sure.model_copy(update={"confidence": None}), many) is QueueReason.RANDOM
