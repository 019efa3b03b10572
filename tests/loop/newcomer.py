"""Somebody who sees the practice page for the first time."""

import re

from playwright.async_api import Locator, Page, expect

from handlers.views import ids

LONG_MS = 60_000
TEAMS = {"en": "HR", "ja": "人事"}
"""Who looks after the points of the first question, as no model can know."""


class Newcomer:
    """Somebody who only presses what the page offers, and counts it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.presses = 0

    async def press(self, control: Locator) -> None:
        await expect(control).to_be_visible(timeout=LONG_MS)
        await control.click()
        self.presses += 1

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
