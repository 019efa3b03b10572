"""Fixtures: a LangSmith stand-in on loopback, and a tracker that uses it."""

from collections.abc import AsyncIterator

import pytest

from bot.langsmith import LangSmithTracker
from tests.kits.langsmith_server import LangSmithServer
from tests.kits.langsmith_server.server import KEY


@pytest.fixture
async def langsmith() -> AsyncIterator[LangSmithServer]:
    async with LangSmithServer().running() as server:
        yield server


@pytest.fixture
async def tracker(langsmith: LangSmithServer) -> AsyncIterator[LangSmithTracker]:
    made = LangSmithTracker(KEY, "madoguchi", endpoint=langsmith.url, seconds=30.0)
    yield made
    await made.aclose()
