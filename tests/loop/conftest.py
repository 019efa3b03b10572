"""The whole bot in one process: a practice workspace, the embedded model, a database of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app.running import Running, open_bot
from bot.settings import Settings
from tests.kits.browser import browsing
from tests.kits.migrated import migrated_sqlite
from tests.loop.day import Day, Live
from tests.loop.story import STORIES, open_loop_desk

Open = Callable[..., AbstractAsyncContextManager[Running]]
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}


@pytest.fixture
def open_loop(tmp_path: Path) -> Open:
    """Return `open_loop(language, **settings)`, which runs the bot; a second call finds the same database.

    The tables are there already: other tests start the bot without any.
    """
    url = migrated_sqlite(tmp_path / "loop.db")

    @asynccontextmanager
    async def opened(language: str | None, **more: Any) -> AsyncIterator[Running]:
        settings = Settings(
            _env_file=None,
            database_url=url,
            bot_language=language,
            **({"bot_auto_train": "off"} | more),  # a training in the background would refuse a test's own
        )
        async with open_bot(settings, state=tmp_path / "workspace.json") as running:
            yield running

    return opened


@pytest.fixture(params=[("en", "desktop"), ("ja", "phone")], ids="-".join)
def live(request: pytest.FixtureRequest, open_loop: Open) -> Live:
    """Return `live(**settings)`, which opens the bot and a browser of this language and size."""
    language, device = request.param
    story, size = next(one for one in STORIES if one.language == language), SIZES[device]

    @asynccontextmanager
    async def opened(**settings: object) -> AsyncIterator[Day]:
        locale = "ja-JP" if story.language == "ja" else "en-US"
        async with (
            browsing() as visit,
            open_loop(story.language, **settings) as running,
            open_loop_desk(running) as desk,
        ):
            for person in (desk.employee, desk.staff, desk.admin):
                await person.set_locale(locale)
            yield Day(running, desk, story, lambda url: visit(url, size=size, locale=locale))

    return opened


@pytest.fixture(autouse=True)
def prepared(fast_training: None, without_settings: None) -> None:
    """Train in workers that are forked, and take no setting from the environment."""
