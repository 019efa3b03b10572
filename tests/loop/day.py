"""A day at the help desk in a real browser: its bot, its people and their windows."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from playwright.async_api import Locator, Page, expect

from bot.app.running import Running
from bot.practice import Person, Server
from handlers.texts.words import Words, texts
from tests.loop.browser_story import Window
from tests.loop.story import LoopDesk, Story

LONG_MS = 90_000


class Day:
    """A bot at work, and the windows of its people."""

    def __init__(
        self, running: Running, desk: LoopDesk, story: Story, open_window: Callable[[str], Awaitable[Page]]
    ) -> None:
        assert running.practice
        self.running = running
        self.server: Server = running.practice
        self.desk = desk
        self.story = story
        self.words = Words(story.language)
        self._open = open_window
        self._windows: dict[str, Window] = {}

    async def window(self, person: Person) -> Window:
        return await self.window_of(person.user_id)

    async def window_of(self, user_id: str) -> Window:
        if user_id not in self._windows:
            page = await self._open(f"{self.server.url}?user={user_id}")
            self._windows[user_id] = Window(page, self.server, user_id)
        return self._windows[user_id]

    def said(self, key: str) -> str:
        """Return the longest part of a text that has no placeholder and no mark."""
        return max(re.split(r"\{[^}]*\}|[*_`]", texts(self.words.language)[key]), key=len).strip()

    async def sees(self, place: Locator, key: str) -> None:
        await expect(place).to_contain_text(self.said(key), timeout=LONG_MS)


Live: TypeAlias = Callable[..., AbstractAsyncContextManager[Day]]
"""`live(**settings)` opens the bot and a browser."""


async def reply(window: Window, text: str) -> None:
    composer = window.page.get_by_test_id("thread-composer")
    await composer.fill(text)
    await composer.press("Enter")


async def react(window: Window, message: Locator, emoji: str) -> None:
    """Pick an emoji in the toolbar that a message shows while it has the focus."""
    await message.focus()
    await message.locator('[data-spot="react"]').press("Enter")
    await window.page.locator(f'.picker [data-reaction="{emoji}"]').click()


async def press(control: Locator) -> None:
    """Press a control once it is there; a message that is updated meanwhile is drawn anew."""
    await expect(control).to_be_visible(timeout=LONG_MS)
    await control.click()
