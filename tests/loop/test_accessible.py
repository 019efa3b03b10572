"""axe finds no fault in menus, forms and toasts, and focus returns; test_screens.py has every screen at rest."""

import pytest
from playwright.async_api import Page, expect

from bot.practice.people import Member
from handlers.views import ids
from tests.kits.browser import browsing
from tests.loop.axe import faults
from tests.loop.browser_story import EXPECTED_MS, Window
from tests.loop.conftest import Open
from tests.loop.story import STORIES, Story, open_loop_desk

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(300)]

HELP_DESK = "C0HELPDESK1"
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}


class Examiner:
    """A look at screens with axe, and what it found."""

    def __init__(self) -> None:
        self.found: list[str] = []

    async def look(self, page: Page, screen: str) -> None:
        self.found += [f"{screen}: {one}" for one in await faults(page)]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_axe_finds_no_fault_in_what_opens(story: Story, size: tuple[int, int], open_loop: Open) -> None:
    axe = Examiner()
    one = 0 if story.language == "ja" else 1
    async with browsing() as visit, open_loop(story.language) as running, open_loop_desk(running) as desk:
        server = running.practice
        assert server
        people = server.people

        async def window(member: Member) -> Window:
            made = Window(await visit(f"{server.url}?user={member.id}", size=size), server, member.id)
            await made.at(HELP_DESK)
            return made

        employee = await window(people.employees[one])
        card = await desk.ask(story.asked)
        await expect(employee.page.get_by_test_id("thread-bar")).to_be_visible(timeout=EXPECTED_MS)
        await look_at_talk(axe, employee, card["thread_ts"])
        await look_at_staff(axe, await window(people.staff[one]), card["thread_ts"])
    assert not axe.found, "\n".join(axe.found)


async def look_at_talk(axe: Examiner, window: Window, ts: str) -> None:
    """Look at what opens beside a thread and a channel."""
    page = window.page
    await window.at(HELP_DESK, ts)
    await expect(window.action(ids.AGREE)).to_be_visible(timeout=EXPECTED_MS)
    await page.get_by_test_id("thread-composer").fill("@")
    await axe.look(page, "completion")
    await page.get_by_test_id("thread-composer").fill("")
    await window.at(HELP_DESK)
    await look_at_menus(axe, page)


async def look_at_menus(axe: Examiner, page: Page) -> None:
    drawer = page.get_by_test_id("drawer")
    on_phone = await drawer.is_visible()
    if on_phone:
        await drawer.click()
        await axe.look(page, "drawer")
    await page.get_by_test_id("person-switcher").click()
    await axe.look(page, "people")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    if on_phone:
        await expect(page.locator("#sidebar")).to_be_hidden()
    await page.get_by_test_id("message").first.focus()  # shows its toolbar
    await page.get_by_test_id("message-menu").first.press("Enter")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    await axe.look(page, "message menu")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("message-menu").first).to_be_focused()


async def look_at_staff(axe: Examiner, window: Window, ts: str) -> None:
    """Look at the form that changes an answer, opened and closed by keyboard, and at a refused command."""
    await window.at(HELP_DESK, ts)
    explain = window.action(ids.CORRECT_OPEN)
    await expect(explain).to_be_visible(timeout=EXPECTED_MS)
    await explain.press("Enter")
    await expect(window.page.get_by_test_id("modal")).to_be_visible(timeout=EXPECTED_MS)
    await axe.look(window.page, "form")
    await window.page.keyboard.press("Escape")
    await expect(window.page.get_by_test_id("modal")).to_be_hidden()
    await expect(explain).to_be_focused()
    await window.at(HELP_DESK)
    await window.type("/nothing")
    await expect(window.page.get_by_test_id("toast")).to_be_visible()
    await axe.look(window.page, "toast")
