"""axe finds no serious fault on any screen of the practice page, in both widths and languages."""

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no hints
from playwright.async_api import Page, expect

from bot.practice.people import Member
from handlers.views import ids
from tests.kits.browser import browsing
from tests.loop.browser_story import EXPECTED_MS, Window
from tests.loop.conftest import Open
from tests.loop.story import STORIES, Story, open_loop_desk

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(300)]

HELP_DESK = "C0HELPDESK1"
SIZES = {"desktop": (1280, 800), "phone": (360, 740)}


class Examiner:
    """Looks at screens with axe, and keeps what it finds."""

    def __init__(self) -> None:
        self.found: list[str] = []

    async def look(self, page: Page, screen: str) -> None:
        answer = (await Axe().run(page)).response
        self.found += [
            f"{screen}: {one['impact']} {one['id']} {[node['html'][:160] for node in one['nodes']]}"
            for one in answer["violations"]
            if one["impact"] != "minor"
        ]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_axe_finds_nothing_serious(story: Story, size: tuple[int, int], open_loop: Open) -> None:
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
        await axe.look(employee.page, "first visit")
        card = await desk.ask(story.asked)
        await expect(employee.page.get_by_test_id("thread-bar")).to_be_visible(timeout=EXPECTED_MS)
        await axe.look(employee.page, "channel")
        await look_at_talk(axe, employee, card["thread_ts"])
        await look_at_homes(axe, [employee, await window(people.staff[one]), await window(people.admins[one])])
        await look_at_staff(axe, await window(people.staff[one]), card["thread_ts"], story)
        await look_at_admin(axe, await window(people.admins[one]))
    assert not axe.found, "\n".join(axe.found)


async def look_at_talk(axe: Examiner, window: Window, ts: str) -> None:
    """Look at a thread, the menus and the messages with the bot."""
    page = window.page
    await window.at(HELP_DESK, ts)
    await expect(window.action(ids.AGREE)).to_be_visible(timeout=EXPECTED_MS)
    await axe.look(page, "thread")
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
        await expect(page.locator("#sidebar")).to_be_hidden()  # it takes a moment to slide away
    await page.get_by_test_id("message").first.focus()  # shows its toolbar
    await page.get_by_test_id("message-menu").first.press("Enter")
    await expect(page.get_by_role("menuitem").first).to_be_focused()
    await axe.look(page, "message menu")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("message-menu").first).to_be_focused()


async def look_at_homes(axe: Examiner, windows: list[Window]) -> None:
    for window in windows:
        await window.page.evaluate("location.hash = '#home'")
        await expect(window.page.get_by_test_id("home")).to_be_visible(timeout=EXPECTED_MS)
        await axe.look(window.page, "home")


async def look_at_staff(axe: Examiner, window: Window, ts: str, story: Story) -> None:
    """Look at the form that changes an answer, opened and closed by keyboard."""
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
    await window.type("/finetune review")
    await expect(window.latest).to_contain_text(story.asked, timeout=EXPECTED_MS)
    await axe.look(window.page, "review")


async def look_at_admin(axe: Examiner, window: Window) -> None:
    """Look at the answers to commands, and at a refused one."""
    for number, command in enumerate(("help", "status", "start", "switch"), 1):
        await window.type(f"/finetune {command}")
        await expect(window.page.locator(".only-you")).to_have_count(number, timeout=EXPECTED_MS)
        await axe.look(window.page, command)
    await window.type("/nothing")
    await expect(window.page.get_by_test_id("toast")).to_be_visible()
    await axe.look(window.page, "toast")
