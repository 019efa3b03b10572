"""Fixtures of the page's tests: a browser per module, a scripted server per test, the real one where it is wanted."""

from collections.abc import AsyncIterator

import pytest

from bot.practice import Server, Timing, Workspace, serve
from tests.bot.practice.desk import MANIFEST, Clock
from tests.bot.practice.page.page_stub import stub
from tests.kits.browser import chromium, visit

__all__ = ["chromium", "server", "stub", "visit"]


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[Server]:
    """Serve a workspace that is patient: a browser beside the bot may slow its acks down."""
    async with serve(Workspace(MANIFEST, clock, timing=Timing(ack=20.0))) as running:
        yield running
