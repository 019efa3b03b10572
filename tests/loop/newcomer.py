"""Somebody who sees the practice page for the first time."""

import re

from playwright.async_api import Locator, Page, expect

from handlers.views import ids

LONG_MS = 60_000
MOST_TABS = 150
"""Presses of the Tab key that go around the whole page."""
TEAMS = {"en": "HR", "ja": "人事"}
"""The team for the points of the first question, which no model can know."""


class Newcomer:
    """Somebody who only presses what the page offers, and counts it.

    Args:
        page: The page.
        by_keyboard: Whether controls are reached by the Tab key and pressed by Enter.
    """

    def __init__(self, page: Page, *, by_keyboard: bool = False) -> None:
        self.page = page
        self.presses = 0
        self._by_keyboard = by_keyboard

    async def press(self, control: Locator) -> None:
        await expect(control).to_be_visible(timeout=LONG_MS)
        if self._by_keyboard:
            await self._reach(control)
            await self.page.keyboard.press("Enter")
        else:
            await control.click()
        self.presses += 1

    async def _reach(self, control: Locator) -> None:
        for _ in range(MOST_TABS):
            if await control.evaluate("element => element === document.activeElement"):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"the Tab key does not reach {control}")

    async def step(self, name: str) -> None:
        await self.press(self.page.get_by_test_id(f"tour-{name}"))

    async def done(self, number: int) -> None:
        await expect(self.page.locator("#tour li.done")).to_have_count(number, timeout=LONG_MS)

    async def correct(self, team: str) -> None:
        """Press another team on the card."""
        buttons = self.card.locator(f'[data-action-id^="{ids.CHANGE}"]')
        await self.press(buttons.filter(has_text=re.compile(rf"^{team}$")))

    async def train(self) -> None:
        """Ask for a training, and start it under its plan."""
        await self.step("train")
        await self.press(self.page.locator(f'[data-action-id="{ids.FINETUNE_CONFIRM}"]').last)

    @property
    def card(self) -> Locator:
        return self.page.get_by_test_id("thread-messages").get_by_test_id("message").nth(1)

    async def reach_a_better_answer(self, language: str) -> None:
        """Ask, correct, train and ask again."""
        await self.step("ask-1")
        await self.done(1)
        await expect(self.card).to_be_visible(timeout=LONG_MS)
        await self.step("as-staff")
        await self.correct(TEAMS[language])
        await self.done(2)
        await self.step("fill")
        await self.step("as-admin")
        await self.train()
        await self.done(3)
        await self.step("again-1")
        await self.done(4)
        await expect(self.card).to_contain_text(f"{TEAMS[language]} →", timeout=LONG_MS)
