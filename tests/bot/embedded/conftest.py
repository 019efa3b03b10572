"""Fixtures: an embedded model on an empty shelf, and the real OpenAI SDK as its client."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from bot.embedded import FolderShelf, LocalModel, runner
from tests.bot.embedded.kit import client_of


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    return FolderShelf(tmp_path / "shelf")


@pytest.fixture
async def client(shelf: FolderShelf) -> AsyncIterator[AsyncOpenAI]:
    async with LocalModel(shelf) as model, client_of(model) as client:
        yield client


@pytest.fixture
def started_training(fast_training: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train as the bot does, in a worker that is a program of its own."""
    monkeypatch.setattr(runner, "WORKER", (sys.executable, "-m", "bot.embedded.train"))
