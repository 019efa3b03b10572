"""The order of the review queue."""

import itertools
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.domain.gain import NEW_BELOW, RANKS, RARE_BELOW, UNSURE_BELOW, Candidate, QueueReason, ordered, reason_for

CATEGORIES = st.sampled_from(["labor", "it", "other"])
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        question_id=st.uuids().map(lambda one: one.hex),
        category=CATEGORIES,
        confidence=st.none() | st.floats(0, 1),
        shadow=st.none() | CATEGORIES,
        near_conflict=st.booleans(),
        known=st.floats(0, 1),
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
def test_queue_is_sorted_by_rank_then_gain(candidates: list[Candidate], rows: dict[str, int]) -> None:
    for (one, reason), (other, next_reason) in itertools.pairwise(ordered(candidates, rows)):
        assert RANKS[reason] <= RANKS[next_reason]
        if RANKS[reason] == RANKS[next_reason] < RANKS[QueueReason.RANDOM]:
            assert one.doubt * (1 - one.known) >= other.doubt * (1 - other.known)


def unsure(question_id: str, confidence: float = 0.4, known: float = 0.2) -> Candidate:
    return Candidate(question_id=question_id, category="it", confidence=confidence, known=known)


def alike(*groups: int) -> NDArray[np.float64]:
    """Return a likeness of 0.9 within a group, and of 0.1 between groups."""
    of = np.array(groups)
    found = np.where(of[:, None] == of[None, :], 0.9, 0.1)
    np.fill_diagonal(found, 1.0)
    return found


def test_alike_questions_are_not_listed_in_a_row() -> None:
    asked = [unsure(f"vpn {n}", 0.3) for n in range(10)] + [unsure(f"loner {n}", 0.6) for n in range(5)]
    queue = [one.question_id for one, _ in ordered(asked, {}, alike(*[0] * 10, *range(1, 6)))]
    assert [one.split()[0] for one in queue[:6]] == ["vpn", *["loner"] * 5]


def test_question_that_stands_for_many_comes_first() -> None:
    asked = [unsure("loner", 0.3), *(unsure(f"common {n}", 0.5) for n in range(4))]
    assert ordered(asked, {}, alike(0, 1, 1, 1, 1))[0][0].question_id.startswith("common")


def test_question_like_a_settled_one_comes_later() -> None:
    queue = ordered([unsure("settled", 0.3, known=0.9), unsure("unsettled", 0.5, known=0.2)], {}, alike(0, 1))
    assert [one.question_id for one, _ in queue] == ["unsettled", "settled"]


def test_each_reason_applies_to_its_case() -> None:
    sure = Candidate(question_id="q", category="it", confidence=0.99, known=NEW_BELOW)
    many = {"it": RARE_BELOW}
    assert reason_for(sure, many) is QueueReason.RANDOM
    assert reason_for(sure, {"it": RARE_BELOW - 1}) is QueueReason.RARE
    assert reason_for(sure.model_copy(update={"known": NEW_BELOW - 0.01}), many) is QueueReason.NEW
    assert reason_for(sure.model_copy(update={"near_conflict": True}), many) is QueueReason.NEAR_CONFLICT
    assert (
        reason_for(sure.model_copy(update={"confidence": UNSURE_BELOW - 0.01, "near_conflict": True}), many)
        is QueueReason.UNSURE
    )
    assert reason_for(sure.model_copy(update={"confidence": 0.1, "shadow": "labor"}), many) is QueueReason.DISAGREE
    assert reason_for(sure.model_copy(update={"shadow": "it"}), many) is QueueReason.RANDOM
    assert reason_for(sure.model_copy(update={"confidence": None}), many) is QueueReason.RANDOM
