"""The whole bot in one process: a practice workspace, the embedded model, a database of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app.running import Running, open_bot
from bot.settings import Settings

Open = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def open_loop(tmp_path: Path) -> Open:
    """Return `open_loop(language, **settings)`, which runs the bot; a second call finds the same database."""

    @asynccontextmanager
    async def opened(language: str | None, **more: Any) -> AsyncIterator[Running]:
        settings = Settings(
            _env_file=None,
            database_url=f"sqlite:///{tmp_path}/loop.db",
            bot_language=language,
            **({"bot_auto_train": "off"} | more),  # a training in the background would refuse a test's own
        )
        async with open_bot(settings, state=tmp_path / "workspace.json") as running:
            yield running

    return opened


@pytest.fixture(autouse=True)
def prepared(fast_training: None, without_settings: None) -> None:
    """Train in workers that are forked, and take no setting from the environment."""
