"""The uses of an answer, in a real browser: the asker rates it, staff move it, its owner takes it."""

import pytest
from playwright.async_api import Page, expect

from bot.practice import Person
from handlers.texts.words import Words
from handlers.views import ids
from tests.kits.browser import browsing
from tests.loop.conftest import Open
from tests.loop.story import STORIES, Story, choices, open_loop_desk, said

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(240)]

LONG_MS = 60_000
MOVED = {"en": "This question is now with", "ja": "が担当します"}


@pytest.mark.parametrize("size", [(1280, 800), (360, 740)], ids=["desktop", "phone"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_asker_is_heard_and_told(story: Story, size: tuple[int, int], open_loop: Open) -> None:
    words = Words(story.language)
    locale = "ja-JP" if story.language == "ja" else "en-US"
    async with browsing() as visit, open_loop(story.language) as running, open_loop_desk(running) as desk:
        server = running.practice
        assert server

        async def thread_of(person: Person) -> Page:
            address = f"{server.url}?user={person.user_id}#{desk.channel}/{card['thread_ts']}"
            return await visit(address, size=size, locale=locale)

        def control(page: Page, action_id: str) -> str:
            return f'[data-testid="thread-messages"] [data-action-id="{action_id}"]'

        card = await desk.ask(story.asked)
        # The asker says that the answer did not help, and why.
        page = await thread_of(desk.employee)
        thread = page.get_by_test_id("thread-messages")
        await expect(thread).to_contain_text("→", timeout=LONG_MS)
        await page.locator(control(page, ids.FEEDBACK)).last.click()
        await expect(thread).to_contain_text(words("feedback.why"), timeout=LONG_MS)
        await page.locator(control(page, f"{ids.FEEDBACK_WHY}.wrong_team")).click()
        await expect(thread).to_contain_text(words("feedback.noted", owner="@").partition("@")[0], timeout=LONG_MS)

        # A choice in staff's form settles nothing; one press of a likely category does, and the asker is told.
        staff = await thread_of(desk.staff)
        await staff.locator(control(staff, ids.CORRECT_OPEN)).click()
        other = next(choice.category for choice in choices(card) if choice.category != said(card))
        name = next(category.name for category in running.core.prompt.categories if category.id == other)
        await staff.locator(f'[data-action-id="{ids.CATEGORY_INPUT}"]').select_option(label=name)
        await staff.get_by_test_id("close-view").first.click()
        await expect(staff.locator(control(staff, ids.UNDO))).to_have_count(0)
        await staff.get_by_test_id("thread-messages").get_by_role("button", name=name, exact=True).click()
        await expect(staff.locator(control(staff, ids.UNDO))).to_be_visible(timeout=LONG_MS)
        await expect(thread).to_contain_text(MOVED[story.language], timeout=LONG_MS)
