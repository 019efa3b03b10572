"""The whole loop in a real Chromium, as a new user lives through it, in both languages."""

import pytest
from playwright.async_api import Page

from tests.kits.browser import browsing
from tests.loop.browser_story import live_through
from tests.loop.conftest import Open
from tests.loop.story import STORIES, Story, open_loop_desk

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_a_new_user_lives_through_the_loop(story: Story, open_loop: Open) -> None:
    async def no_picture(_page: Page, _name: str) -> None:
        """The pictures are made by tests/loop/screenshots.py."""

    async with browsing() as visit, open_loop(story.language) as running, open_loop_desk(running) as desk:
        await live_through(visit, running, desk, story, no_picture)
