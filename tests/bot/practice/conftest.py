"""Fixtures: a served workspace with a manual clock, a Web API client, a slack-bolt app and people."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.practice import Server, Timing, Workspace, serve
from tests.bot.practice.desk import MANIFEST, PersonFactory, PracticeClock, PracticeDesk


@pytest.fixture
def clock() -> PracticeClock:
    return PracticeClock()


@pytest.fixture
def timing() -> Timing:
    return Timing()


@pytest.fixture
async def server(clock: PracticeClock, timing: Timing) -> AsyncIterator[Server]:
    workspace = Workspace(MANIFEST, clock, timing=timing)
    async with serve(workspace) as running:
        yield running


@pytest.fixture
def client(server: Server) -> AsyncWebClient:
    return AsyncWebClient(token=server.bot_token, base_url=server.api_url)


@pytest.fixture
async def desk(server: Server) -> AsyncIterator[PracticeDesk]:
    desk_app = PracticeDesk(server)
    yield desk_app
    await desk_app.close()


@pytest.fixture
async def people(server: Server) -> AsyncIterator[PersonFactory]:
    async with AsyncExitStack() as stack:
        yield PersonFactory(server, stack)
