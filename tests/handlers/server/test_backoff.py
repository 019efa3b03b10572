"""What is away for an hour costs a line a minute and a try every ten seconds; that it is back is noticed soon."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.server.backoff import LONGEST_REST, REMINDER, Backoff
from handlers.server.clock import patient


class Clock:
    """Seconds that go on when a test says so."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_an_outage_of_an_hour_is_told_in_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    setbacks, tries = Backoff("the work", 1.0, clock), 0
    while clock.at < 4_600:
        clock.at += setbacks.failed(OSError("away"))
        tries += 1
    setbacks.worked()
    assert tries <= 3_600 / LONGEST_REST + 10
    assert len(caplog.records) <= 3_600 / REMINDER + 2
    assert sum(bool(record.exc_info) for record in caplog.records) == 1
    assert "works again" in caplog.records[-1].getMessage()


def test_eight_workers_that_fail_at_once_do_not_make_each_other_wait(caplog: pytest.LogCaptureFixture) -> None:
    setbacks = Backoff("the work", 1.0, Clock())
    assert [setbacks.failed(OSError()) for _ in range(8)] == [1.0] * 8
    assert len(caplog.records) == 1


def test_another_kind_of_failure_is_told_whole(caplog: pytest.LogCaptureFixture) -> None:
    setbacks = Backoff("the work", 1.0, Clock())
    for error in (OSError(), LookupError(), OSError(), LookupError()):
        setbacks.failed(error)
    assert len(caplog.records) == 2


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0.1, LONGEST_REST))
def test_the_rest_is_never_shorter_than_the_shortest_nor_longer_than_the_longest(
    between: list[float], shortest: float
) -> None:
    clock = Clock()
    setbacks = Backoff("the work", shortest, clock)
    for seconds in between:
        assert shortest <= setbacks.failed(OSError()) <= LONGEST_REST
        clock.at += seconds


async def test_a_tick_that_fails_rests_and_goes_on_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock, calls = Clock(), list[float]()
    back_at = clock.at + 60

    async def act() -> None:
        calls.append(clock.at)
        if clock.at < back_at:
            raise OSError("away")

    tick = patient("follow", act, 2.0, clock)
    for _ in range(60):
        await tick()
        clock.at += 2
    failed = [at for at in calls if at < back_at]
    assert len(failed) <= 12, "30 without a rest"
    assert min(at for at in calls if at >= back_at) - back_at <= LONGEST_REST
    assert len(calls) - len(failed) >= 24, "once it is back it ticks as usual"
    assert len(caplog.records) <= 4
