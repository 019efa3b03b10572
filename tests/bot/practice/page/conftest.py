"""Fixtures of the page's tests: one browser for a test process, and per test a scripted or a real server.

They run in the event loop of the session, as the browser does.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from bot.practice import Server, Timing, Workspace, serve
from tests.bot.practice.desk import MANIFEST, PracticeClock, PracticeDesk
from tests.bot.practice.page.page_stub import stub
from tests.kits.browser import visit, windows

__all__ = ["desk", "server", "stub", "visit", "windows"]


@pytest_asyncio.fixture(loop_scope="session")
async def server(clock: PracticeClock) -> AsyncIterator[Server]:
    """Serve a workspace with a long ack deadline, because a browser beside the bot may slow its acks down."""
    async with serve(Workspace(MANIFEST, clock, timing=Timing(ack=20.0))) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def desk(server: Server) -> AsyncIterator[PracticeDesk]:
    desk_app = PracticeDesk(server)
    yield desk_app
    await desk_app.close()
