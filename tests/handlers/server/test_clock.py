"""The clock, as it ticks and as it ends."""

import asyncio

import pytest

from handlers.server.clock import Act, Schedule


def everybody(_name: str, act: Act, _seconds: float) -> Act:
    return act


async def test_an_act_that_is_under_way_at_the_end_is_cancelled_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    ticks = Schedule(everybody)
    ticks.start(each={"long": (long, 60)}, one={})
    ticks.now("long")
    await asyncio.wait_for(begun.wait(), 5)
    ticks.stop()
    await asyncio.wait_for(cancelled.wait(), 5)
    await asyncio.sleep(0.05)
    assert not caplog.records
    ticks.now("long")
