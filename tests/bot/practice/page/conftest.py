"""Fixtures of the page's tests: a browser per module, and per test a scripted or a real server."""

from collections.abc import AsyncIterator

import pytest

from bot.practice import Server, Timing, Workspace, serve
from tests.bot.practice.desk import MANIFEST, PracticeClock
from tests.bot.practice.page.page_stub import stub
from tests.kits.browser import chromium, visit

__all__ = ["chromium", "server", "stub", "visit"]


@pytest.fixture
async def server(clock: PracticeClock) -> AsyncIterator[Server]:
    """Serve a workspace with a long ack deadline, because a browser beside the bot may slow its acks down."""
    async with serve(Workspace(MANIFEST, clock, timing=Timing(ack=20.0))) as running:
        yield running
