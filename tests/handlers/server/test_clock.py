"""The schedule: ticks, and how it stops."""

import asyncio

import pytest

from handlers.server.clock import Schedule, ScheduledAct


def on_every_replica(_name: str, act: ScheduledAct) -> ScheduledAct:
    return act


async def test_stop_cancels_running_act_without_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    ticks = Schedule(on_every_replica)
    ticks.add(each={"long": (long, 60)}, one={})
    ticks.start()
    ticks.run_now("long")
    await asyncio.wait_for(begun.wait(), 5)
    ticks.stop()
    await asyncio.wait_for(cancelled.wait(), 5)
    await asyncio.sleep(0.05)
    assert not caplog.records
    ticks.run_now("long")
