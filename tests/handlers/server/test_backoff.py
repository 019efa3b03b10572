"""Backoff: an hour's outage costs a log line a minute and a try every ten seconds, and recovery is noticed soon."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.server.backoff import LONGEST_DELAY, REMINDER_INTERVAL, Backoff
from handlers.server.clock import with_backoff


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_long_outage_logs_one_line_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    backoff, tries = Backoff("the work", 1.0, clock), 0
    while clock.at < 4_600:
        clock.at += backoff.record_failure(OSError("away"))
        tries += 1
    backoff.record_success()
    assert tries <= 3_600 / LONGEST_DELAY + 10
    assert len(caplog.records) <= 3_600 / REMINDER_INTERVAL + 2
    assert sum(bool(record.exc_info) for record in caplog.records) == 1
    assert "works again" in caplog.records[-1].getMessage()


def test_concurrent_failures_do_not_add_up_delays(caplog: pytest.LogCaptureFixture) -> None:
    backoff = Backoff("the work", 1.0, Clock())
    assert [backoff.record_failure(OSError()) for _ in range(8)] == [1.0] * 8
    assert len(caplog.records) == 1


def test_each_exception_type_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    backoff = Backoff("the work", 1.0, Clock())
    for error in (OSError(), LookupError(), OSError(), LookupError()):
        backoff.record_failure(error)
    assert len(caplog.records) == 2


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0.1, LONGEST_DELAY))
def test_delay_stays_within_its_limits(between: list[float], shortest: float) -> None:
    clock = Clock()
    backoff = Backoff("the work", shortest, clock)
    for seconds in between:
        assert shortest <= backoff.record_failure(OSError()) <= LONGEST_DELAY
        clock.at += seconds


async def test_failing_tick_pauses_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock, calls = Clock(), list[float]()
    back_at = clock.at + 60

    async def act() -> None:
        calls.append(clock.at)
        if clock.at < back_at:
            raise OSError("away")

    tick = with_backoff("follow", act, 2.0, clock)
    for _ in range(60):
        await tick()
        clock.at += 2
    failed = [at for at in calls if at < back_at]
    assert len(failed) <= 12, "without a backoff there would be 30"
    assert min(at for at in calls if at >= back_at) - back_at <= LONGEST_DELAY
    assert len(calls) - len(failed) >= 24, "after recovery every tick calls the act"
    assert len(caplog.records) <= 4
