"""A real headless Chromium for tests.

The tests of a module share one browser; their conftest.py imports the fixtures `chromium` and `visit` from here:

    pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

    async def test_title(visit: Visit) -> None:
        page = await visit(url, size=PHONE, theme="dark", locale="ja-JP")

A test in a loop of its own opens one for itself: `async with browsing() as visit:`. Tests are skipped where there is
no Chromium, but fail there if the environment says CI=true; they also fail when a page threw an error or broke its
own content security policy.

The practice page's hooks: an address `/?user=U…#C…` (a channel), `#C…/ts` (a thread), `#home`; `data-testid` of
`messages` and `thread-messages` (the lists), `message` (with `data-ts`, `data-user`), `content`, `thread-bar`,
`message-menu`, `composer`, `thread-composer`, `editor`, `person-switcher`, `person-U…`, `channel-NAME`, `bot-messages`,
`app-home`, `home`, `modal` (with `data-view-id`, `data-callback-id`), `submit`, `close-view`, `field-error`, `confirm`,
`toast`, `connection`, `locale`, `theme`; a control has `data-block-id` and `data-action-id`.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect

DESKTOP = (1280, 800)
PHONE = (390, 780)
Visit: TypeAlias = Callable[..., Awaitable[Page]]
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_WAIT_MS = 20_000  # for a machine that is busy with other things; nothing waits this long otherwise

expect.set_options(timeout=_WAIT_MS)


def _may_skip() -> bool:
    return os.environ.get("CI") != "true"  # noqa: TID251 - asks about the machine of the tests, no setting of the bot


def _path(library: Playwright) -> str:
    own = library.chromium.executable_path
    path = next(filter(None, map(shutil.which, _NAMES)), own if Path(own).exists() else None)
    if path is None and _may_skip():
        pytest.skip("There is no Chromium here: browser tests are skipped.")
    if path is None:
        pytest.fail("CI has no Chromium, so the page was not tested.")
    return path


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run a browser for as long as the context lasts."""
    async with async_playwright() as library:
        browser = await library.chromium.launch(executable_path=_path(library), args=_ARGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(browser: Browser) -> AsyncIterator[Visit]:
    """Yield `visit(url, size=DESKTOP, theme="light", locale="en-US")`, which opens a window of its own."""
    faults: list[str] = []
    windows: list[Page] = []

    async def visit(url: str, *, size: tuple[int, int] = DESKTOP, theme: str = "light", locale: str = "en-US") -> Page:
        page = await _window(browser, size, theme, locale)
        windows.append(page)
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
        await page.goto(url)
        await page.wait_for_selector("body[data-ready]")
        return page

    try:
        yield visit
    finally:
        for page in windows:
            await page.context.close()
    assert faults == []


@asynccontextmanager
async def browsing() -> AsyncIterator[Visit]:
    """Give a test a browser of its own, whatever its event loop."""
    async with launched() as browser, visiting(browser) as visit:
        yield visit


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def visit(chromium: Browser) -> AsyncIterator[Visit]:
    async with visiting(chromium) as visit:
        yield visit


async def _window(browser: Browser, size: tuple[int, int], theme: str, locale: str) -> Page:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale=locale,
        timezone_id="Asia/Tokyo",
        has_touch=size == PHONE,
    )
    context.set_default_timeout(_WAIT_MS)
    return await context.new_page()
