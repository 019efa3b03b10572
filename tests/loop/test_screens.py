"""Every screen of the gallery, in both languages, widths and themes: fits, speaks plainly, no fault by axe."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page

from handlers.texts.words import texts
from tests.kits.browser import browsing
from tests.loop.axe import faults
from tests.loop.conftest import Open
from tests.loop.gallery import SIZES, Walk
from tests.loop.story import STORIES, Story, open_loop_desk

pytestmark = [pytest.mark.tour, pytest.mark.browser, pytest.mark.timeout(1_200)]

FEWEST_SCREENS = 40
MACHINE_WORDS = re.compile(
    r"(?i:\bfolds?\b|\bloss\b|sha-?256|mcnemar|マクネマー|clopper|\breplicas?\b|レプリカ|\bundefined\b|\bNaN\b)|\bECE\b"
    r"|\blocal/\w+|\bft-[0-9a-f]{4,}|\b[USCDTFB]0[A-Z0-9]{6,}\b|\[object|\{\w+\}"
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b"
)
"""Only *Details* may hold these: words of statistics and of machines, ids, hashes, and unfilled placeholders."""
PAGE_TEXTS = Path(__file__).parents[2] / "bot" / "practice" / "page" / "words.js"
# Returns what is wider than its room, and what a person reads: visible text, labels and alternative texts.
LOOK = """() => {
  const rooms = [document.documentElement, ...document.querySelectorAll(
    '[data-testid="messages"], [data-testid="thread-messages"], [data-testid="home"], [data-testid="modal"], .content'
  )];
  const wide = rooms.filter((room) => room.clientWidth && room.scrollWidth > room.clientWidth + 1)
    .map((room) => `${room.dataset.testid ?? room.className ?? "page"}: ${room.scrollWidth} > ${room.clientWidth}`);
  const labels = [...document.querySelectorAll("[aria-label], img[alt]")].filter((one) => one.checkVisibility())
    .map((one) => one.getAttribute("aria-label") ?? one.alt);
  return [wide, [document.body.innerText, ...labels].join("\\n")];
}"""
# Waits until nothing has changed on the page for a quarter of a second, but no longer than told.
QUIET = """(longest) => new Promise((resolve) => {
  let timer = setTimeout(resolve, 250);
  const observer = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(resolve, 250); });
  observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  setTimeout(resolve, longest);
})"""


class Inspector:
    """A reader of each screen in both widths, and what is wrong there."""

    def __init__(self, story: Story) -> None:
        keys = re.findall(r"^    (\w+):", PAGE_TEXTS.read_text(encoding="utf-8"), re.MULTILINE)
        self._keys = {*texts("ja" if story.language == "ja" else "en"), *(key for key in keys if "_" in key)}
        self.found: set[str] = set()
        self.screens: list[str] = []

    async def rest(self, page: Page, milliseconds: int) -> None:
        await page.evaluate(QUIET, milliseconds)

    async def take(self, page: Page, screen: str) -> None:
        self.screens.append(screen)
        for width, height in reversed(SIZES):
            await page.set_viewport_size({"width": width, "height": height})
            wide, read = await page.evaluate(LOOK)
            self.found |= {f"{screen}, {width}: {one}" for one in wide}
            self.found |= {f"{screen}, {width}: {one}" for one in await faults(page)}
            words = set(re.findall(r"\w+(?:\.\w+)*", read))
            self.found |= {f"{screen}: the key {key}" for key in words & self._keys if {".", "_"} & set(key)}
            if not screen.endswith("-details"):
                self.found |= {f"{screen}: {one}" for one in MACHINE_WORDS.findall(read)}
        await page.emulate_media(color_scheme="dark")  # only colours differ, and the widest screen shows most of them
        self.found |= {f"{screen}, dark: {one}" for one in await faults(page, "color-contrast")}
        await page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.language)
async def test_every_screen_fits_and_is_accessible(story: Story, open_loop: Open) -> None:
    inspector = Inspector(story)
    async with browsing() as visit, open_loop(story.language) as running, open_loop_desk(running) as desk:
        assert running.practice
        await Walk(inspector, running.practice, desk, story).whole(visit)
    assert len(inspector.screens) >= FEWEST_SCREENS
    assert not inspector.found, "\n".join(sorted(inspector.found))
