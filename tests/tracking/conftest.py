"""A LangSmith on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.langsmith_server import LangSmithServer


@pytest.fixture
async def langsmith() -> AsyncIterator[LangSmithServer]:
    async with LangSmithServer().running() as server:
        yield server
