"""A new user's first hour in a real browser, from the first question to the better answer."""

import re
from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page, expect

from bot.app.running import Running
from bot.practice import Server
from handlers.texts.words import Words
from handlers.views import ids
from tests.kits.browser import Visit
from tests.loop.story import LoopDesk, Story, said

Shot = Callable[[Page, str], Awaitable[None]]

EXPECTED_MS = 30_000


class Window:
    """One person's window on the help desk."""

    def __init__(self, page: Page, server: Server, user: str) -> None:
        self.page = page
        self._server = server
        self._user = user

    async def at(self, channel: str, ts: str | None = None) -> None:
        """Open a channel, or a thread in it."""
        await self.page.goto(f"{self._server.url}?user={self._user}#{channel}" + (f"/{ts}" if ts else ""))
        await self.page.reload()
        await self.page.wait_for_selector("body[data-ready]")

    async def type(self, text: str) -> None:
        composer = self.page.get_by_test_id("composer")
        await composer.fill(text)
        await composer.press("Escape")  # closes the list of commands
        await composer.press("Enter")

    @property
    def thread(self) -> Locator:
        return self.page.get_by_test_id("thread-messages")

    @property
    def latest(self) -> Locator:
        """Return the newest message in the channel."""
        return self.page.get_by_test_id("messages").get_by_test_id("message").last

    def action(self, action_id: str) -> Locator:
        return self.page.locator(f'[data-action-id="{action_id}"]').last

    async def settle(self, category: str) -> None:
        """Press the category's button, or choose it in the form if the card has no button for it."""
        pressed = self.thread.get_by_role("button", name=category, exact=True)
        await expect(self.action(ids.CORRECT_OPEN)).to_be_visible(timeout=EXPECTED_MS)
        if await pressed.count():
            await pressed.last.click()
            return
        await self.action(ids.CORRECT_OPEN).click()
        await self.action(ids.CATEGORY_INPUT).select_option(label=category)
        await self.page.get_by_test_id("submit").click()


async def live_through(visit: Visit, running: Running, desk: LoopDesk, story: Story, shot: Shot) -> None:
    """Walk the loop: ask, correct, export, train, read the status, override the gate, and ask again.

    On the way the asker is refused a correction, and the gate refuses the switch.
    """
    server = running.practice
    assert server
    words, prompt = Words(story.language), running.core.prompt
    people, channel = server.people, server.channels.help_desk.id
    one = 0 if story.language == "ja" else 1
    locale = "ja-JP" if story.language == "ja" else "en-US"
    for person in (desk.employee, desk.staff, desk.admin):
        await person.set_locale(locale)

    async def window(user: str) -> Window:
        made = Window(await visit(f"{server.url}?user={user}", locale=locale), server, user)
        await made.at(channel)
        return made

    # An employee asks, gets a card, and may not correct it.
    employee = await window(people.employees[one].id)
    await employee.type(story.asked)
    await employee.page.get_by_test_id("thread-bar").last.click()
    await expect(employee.action(ids.AGREE)).to_be_visible(timeout=EXPECTED_MS)
    await employee.action(ids.AGREE).click()
    refusal = employee.thread.get_by_test_id("message").filter(
        has_text=words("refused.not_staff", who="").split("@")[0][:12]
    )
    await expect(refusal).to_be_visible()
    await shot(employee.page, "refused")

    # One of the staff corrects it with one choice.
    ts = employee.page.url.rpartition("/")[2]
    first = (await desk.employee.replies(channel, ts))[1]
    right = next(c for c in prompt.categories if c.id == ("hr" if said(first) != "hr" else "accounting"))
    staff = await window(people.staff[one].id)
    await staff.at(channel, ts)
    await staff.settle(right.name)
    await expect(staff.action(ids.UNDO)).to_be_visible(timeout=EXPECTED_MS)
    await expect(staff.thread).to_contain_text(right.name)
    await shot(staff.page, "corrected")

    # More of the kind, as a day at the desk brings them.
    for text in story.perks:
        await desk.settle(await desk.ask(text), right.id)
    for text, category in story.usual.items():
        await desk.settle(await desk.ask(text), category)

    # The admin exports, trains, looks and switches.
    admin = await window(people.admin.id)
    await admin.type("/finetune export")
    await expect(admin.latest).to_contain_text("/finetune export", timeout=EXPECTED_MS)
    await admin.type("/finetune start")
    await expect(admin.action(ids.FINETUNE_CONFIRM)).to_be_visible(timeout=EXPECTED_MS)
    await shot(admin.page, "start")
    await admin.action(ids.FINETUNE_CONFIRM).click()
    await admin.at(server.channels.ops.id)
    await expect(admin.page.get_by_role("link", name=re.compile(r"\.jsonl"))).to_be_visible()
    # Not the model's name: a provider tells it in an event before the job has ended.
    succeeded = words("finetune.state.succeeded")
    done = admin.page.get_by_test_id("message").filter(has_text=succeeded)
    await expect(done.first).to_be_visible(timeout=60_000)
    await shot(admin.page, "trained")
    await admin.at(channel)
    await admin.type("/finetune status")
    await expect(admin.latest).to_contain_text("/finetune status", timeout=EXPECTED_MS)
    await shot(admin.page, "status")
    await admin.type("/finetune switch")
    await expect(admin.action(ids.FINETUNE_SWITCH)).to_be_visible(timeout=EXPECTED_MS)
    await admin.action(ids.FINETUNE_SWITCH).click()
    await expect(admin.action(ids.FINETUNE_OVERRIDE)).to_be_visible(timeout=EXPECTED_MS)
    await shot(admin.page, "gate")
    await admin.action(ids.FINETUNE_OVERRIDE).click()
    await admin.page.get_by_role("dialog").get_by_role("textbox").fill(story.because)
    await shot(admin.page, "override")
    await admin.page.get_by_role("dialog").get_by_role("button", name=words("gate.override.submit"), exact=True).click()
    await expect(admin.latest).to_contain_text(words("finetune.switch.back"))
    await shot(admin.page, "switched")

    # A question of the kind, never corrected, is now answered as staff would.
    await employee.at(channel)
    await employee.type(story.again)
    asked = employee.page.get_by_test_id("message").filter(has_text=story.again)
    await asked.get_by_test_id("thread-bar").click(timeout=EXPECTED_MS)
    card = employee.thread.get_by_test_id("message").nth(1)
    await expect(card).to_contain_text(right.name, timeout=EXPECTED_MS)
    await shot(employee.page, "answered")
