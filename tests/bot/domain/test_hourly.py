"""The limit of questions per hour: never more within an hour, nobody is counted twice, and one notice an hour."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.hourly import Hourly

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MOMENTS = st.lists(st.integers(0, 5 * 3600), max_size=120)


def asked(seconds: list[int], most: int) -> tuple[list[int], list[int], Hourly]:
    """Ask at these moments, in this order; return the moments that were taken up, those of notices, and the state."""
    lately, taken, told = Hourly(), list[int](), list[int]()
    for n, second in enumerate(seconds):
        lately, refusal = lately.asked(f"Ev{n}", START + timedelta(seconds=second), most)
        lately = Hourly.kept(lately.model_dump(mode="json"))
        if refusal is None:
            taken.append(second)
        elif refusal.tell:
            told.append(second)
    return taken, told, lately


@given(MOMENTS, st.integers(1, 10))
def test_no_hour_holds_more_than_the_limit(seconds: list[int], most: int) -> None:
    taken, _, _ = asked(seconds, most)
    assert all(sum(begin <= one < begin + 3600 for one in taken) <= most for begin in taken)


@given(MOMENTS, st.integers(1, 10))
def test_nothing_below_the_limit_is_refused(seconds: list[int], most: int) -> None:
    taken, _, _ = asked(seconds, most)
    for second in set(seconds) - set(taken):
        assert sum(abs(one - second) <= 3660 for one in taken) >= most


@given(MOMENTS, st.integers(1, 10))
def test_person_is_told_once_an_hour(seconds: list[int], most: int) -> None:
    _, told, _ = asked(sorted(seconds), most)
    assert all(later - earlier >= 3600 for earlier, later in pairwise(told))


@given(MOMENTS, st.integers(1, 10))
def test_person_may_ask_again_when_it_was_said(seconds: list[int], most: int) -> None:
    _, _, lately = asked(seconds, most)
    refusal = lately.refusal(START + timedelta(hours=2), most)
    if refusal:
        assert refusal.free_at > START + timedelta(hours=2)
        assert lately.asked("later", refusal.free_at, most)[1] is None


def test_event_that_was_counted_is_never_refused() -> None:
    once, _ = Hourly().asked("Ev1", START, 1)
    again, refusal = once.asked("Ev1", START, 1)
    assert (again, refusal) == (once, None)


def test_notice_is_repeated_after_its_worker_died() -> None:
    full, _ = Hourly().asked("Ev1", START, 1)
    for _ in range(2):
        full, refusal = full.asked("Ev2", START, 1)
        assert refusal is not None
        assert refusal.tell
    assert not getattr(full.asked("Ev3", START, 1)[1], "tell", True)


def test_old_messages_count_in_oldest_known_hour() -> None:
    lately, _ = Hourly().asked("Ev0", START, 2)
    outcomes = []
    for n in range(1, 5):
        lately, refusal = lately.asked(f"Ev{n}", START - timedelta(days=5, hours=3 * n), 2)
        outcomes.append(refusal is None)
    assert outcomes == [True, True, False, False]
