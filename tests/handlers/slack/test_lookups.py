"""One request at Slack for everybody who asks for the same id."""

import asyncio
import gc

import pytest

from bot.domain.errors import Undelivered
from handlers.slack.lookups import Lookups


async def test_failed_request_without_callers_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    answered = asyncio.Event()

    async def look_up(key: str) -> str:
        await answered.wait()
        raise Undelivered(key, final=False)

    asking = asyncio.create_task(Lookups(look_up, lambda: 0.0).get("U1"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    answered.set()
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert caplog.messages == []
