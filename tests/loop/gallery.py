"""Pictures of every screen, to be looked at: `python -m tests.loop.gallery FOLDER [ja|en]`.

Each screen is taken in light and dark, 1280 and 360 pixels wide: `FOLDER/<language>/<number>-<screen>.png` shows the
four side by side.
"""

import asyncio
import io
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from PIL import Image
from playwright.async_api import Page, expect

from bot.app.running import open_bot
from bot.practice import Server
from bot.practice.people import Member
from bot.settings import Settings
from handlers.views import ids
from tests.kits.browser import browsing
from tests.loop.browser_story import EXPECTED_MS, Window
from tests.loop.story import STORIES, LoopDesk, Story, choices, open_loop_desk, said

SIZES = ((1280, 800), (360, 740))
LONG_MS = 90_000


class Visitor(Protocol):
    """A visitor on the way through the screens."""

    async def take(self, page: Page, screen: str) -> None:
        """Look at a screen."""

    async def rest(self, page: Page, milliseconds: int) -> None:
        """Give a screen time to become complete."""


class Gallery:
    """Numbered pictures."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._number = 0

    async def rest(self, page: Page, milliseconds: int) -> None:
        await page.wait_for_timeout(milliseconds)

    async def take(self, page: Page, screen: str) -> None:
        self._number += 1
        pictures = []
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                await page.wait_for_timeout(300)
                pictures.append(Image.open(io.BytesIO(await page.screenshot())))
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        sheet = Image.new("RGB", (sum(one.width for one in pictures), max(one.height for one in pictures)), "gray")
        left = 0
        for one in pictures:
            sheet.paste(one, (left, 0))
            left += one.width
        sheet.save(self._folder / f"{self._number:02}-{screen}.png")


class Walk:
    """One day at the help desk in one language, with a picture of each screen."""

    def __init__(self, visitor: Visitor, server: Server, desk: LoopDesk, story: Story) -> None:
        self._visitor = visitor
        self._server = server
        self._desk = desk
        self._story = story

    async def whole(self, visit: Callable[..., Awaitable[Page]]) -> None:
        locale = "ja-JP" if self._story.language == "ja" else "en-US"
        people = self._server.people
        for person in (self._desk.employee, self._desk.staff, self._desk.admin):
            await person.set_locale(locale)

        async def window(member: Member) -> Window:
            page = await visit(f"{self._server.url}?user={member.id}", locale=locale)
            made = Window(page, self._server, member.id)
            await made.at(self._desk.channel)
            return made

        employee = await window(people.employees[0])
        await self._visitor.take(employee.page, "first-visit")
        await employee.page.get_by_test_id("tour-skip").click()
        staff, admin = await window(people.staff[0]), await window(people.admin)
        await self.ask(employee, staff)
        await self.direct(employee)
        await self.settle_many()
        await self.staff(staff)
        await self.admin(admin)
        await self.home(employee, "employee-home-after")

    async def home(self, window: Window, screen: str) -> None:
        await window.page.evaluate("location.hash = '#home'")
        await expect(window.page.get_by_test_id("home")).to_be_visible(timeout=EXPECTED_MS)
        await self._visitor.rest(window.page, 1500)
        await self._visitor.take(window.page, screen)

    async def pressed(self, window: Window, action: str, screen: str) -> None:
        await expect(window.action(action)).to_be_visible(timeout=LONG_MS)
        await window.action(action).click()
        await self._visitor.rest(window.page, 2500)
        await self._visitor.take(window.page, screen)

    async def ask(self, employee: Window, staff: Window) -> None:
        take, desk, story = self._visitor.take, self._desk, self._story
        card = await desk.ask(story.asked)
        await employee.at(desk.channel)
        await take(employee.page, "asker-channel")
        await employee.at(desk.channel, card["thread_ts"])
        await expect(employee.action(ids.AGREE)).to_be_visible(timeout=LONG_MS)
        await take(employee.page, "asker-thread")
        await self.pressed(employee, ids.FEEDBACK, "asker-not-helpful")
        await self.pressed(employee, ids.FEEDBACK_OPEN, "asker-sentence")
        await employee.page.keyboard.press("Escape")
        await staff.at(desk.channel, card["thread_ts"])
        await self.pressed(staff, ids.CORRECT_OPEN, "staff-form")
        await staff.page.keyboard.press("Escape")
        other = next(choice.category for choice in choices(card) if choice.category != said(card))
        await desk.settle(card, other)
        await self._visitor.rest(staff.page, 2000)
        await take(staff.page, "staff-settled")
        await employee.at(desk.channel, card["thread_ts"])
        await take(employee.page, "asker-moved")

    async def direct(self, employee: Window) -> None:
        page = employee.page
        await page.get_by_test_id("bot-messages").click()
        await employee.type(next(iter(self._story.usual)))
        await page.get_by_test_id("thread-bar").last.click(timeout=LONG_MS)
        await expect(page.locator(f'[data-action-id="{ids.DIRECT_SEND}"]').last).to_be_visible(timeout=LONG_MS)
        await self._visitor.take(page, "direct-answer")
        await self.pressed(employee, ids.DIRECT_SEND, "direct-sent")

    async def settle_many(self) -> None:
        for text in self._story.perks:
            await self._desk.settle(await self._desk.ask(text), "hr")
        for text, category in list(self._story.usual.items())[1:]:
            await self._desk.settle(await self._desk.ask(text), category)
        await self._desk.ask(self._story.again)

    async def staff(self, staff: Window) -> None:
        await self.home(staff, "staff-home")
        await self.pressed(staff, ids.QUEUE_SKIP, "staff-skipped")
        await staff.at(self._desk.channel)
        await self.command(staff, "review")

    async def command(self, window: Window, text: str) -> None:
        before = await window.page.locator(".only-you").count()
        await window.type(f"/finetune {text}")
        await expect(window.page.locator(".only-you")).to_have_count(before + 1, timeout=LONG_MS)
        await self._visitor.rest(window.page, 800)
        await self._visitor.take(window.page, text.replace(" ", "-"))

    async def details(self, window: Window, screen: str) -> None:
        if await window.page.locator(f'[data-action-id="{ids.DETAILS}"]').count():
            await self.pressed(window, ids.DETAILS, f"{screen}-details")
            await window.page.keyboard.press("Escape")

    async def admin(self, admin: Window) -> None:
        await self.home(admin, "admin-home-before")
        await admin.at(self._desk.channel)
        for text in ("help", "export", "status"):
            await self.command(admin, text)
        await self.details(admin, "status")
        await self.command(admin, "start")
        await self.details(admin, "start")
        await admin.action(ids.FINETUNE_CONFIRM).click()
        await admin.at(self._server.channels.ops.id)
        await admin.page.get_by_test_id("thread-bar").last.click(timeout=LONG_MS)
        await self._visitor.rest(admin.page, 5000)
        await self._visitor.take(admin.page, "ops-trained")
        if await admin.page.locator(f'[data-action-id="{ids.FINETUNE_COMPARE}"]').count():
            await self.pressed(admin, ids.FINETUNE_COMPARE, "compare-pressed")
        await admin.at(self._desk.channel)
        await self.command(admin, "evaluate")
        await self._visitor.rest(admin.page, 8000)
        await self._visitor.take(admin.page, "evaluated")
        await self.details(admin, "evaluate")
        await self.command(admin, "switch")
        await self.details(admin, "switch")
        await self._visitor.rest(admin.page, 1000)
        if await admin.page.locator(f'[data-action-id="{ids.FINETUNE_SWITCH}"]').count():
            await self.pressed(admin, ids.FINETUNE_SWITCH, "switch-pressed")
        if await admin.page.locator(f'[data-action-id="{ids.FINETUNE_OVERRIDE}"]').count():
            await self.pressed(admin, ids.FINETUNE_OVERRIDE, "override")
            await admin.page.get_by_role("dialog").get_by_role("textbox").fill(self._story.because)
            await admin.page.get_by_test_id("submit").click()
            await self._visitor.rest(admin.page, 2500)
            await self._visitor.take(admin.page, "overridden")
        for text in ("status", "recall", "shadow", "unsure", "prompt", "audit", "rollback", "reviwe", "cancel"):
            await self.command(admin, text)
            if text in ("status", "prompt", "unsure"):
                await self.details(admin, text)
        await self.pressed(admin, ids.PROMPT_EDIT, "prompt-form")
        await admin.page.keyboard.press("Escape")
        await self.home(admin, "admin-home-after")
        await admin.at(self._server.channels.ops.id)
        await self._visitor.take(admin.page, "ops-after")


async def main(folder: Path, languages: list[str]) -> None:
    for story in STORIES:
        if story.language not in languages:
            continue
        with tempfile.TemporaryDirectory() as data:
            settings = Settings(
                _env_file=None,
                database_url=f"sqlite:///{data}/loop.db",
                bot_language=story.language,
                bot_auto_train="off",
            )
            async with browsing() as visit, open_bot(settings) as running, open_loop_desk(running) as desk:
                assert running.practice
                await Walk(Gallery(folder / story.language), running.practice, desk, story).whole(visit)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:] or ["ja", "en"]))
