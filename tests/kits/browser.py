"""A real headless Chromium for tests.

All tests of a test process share one browser. Their conftest.py imports the fixtures `windows` and `visit` from here:

    pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

    async def test_title(visit: Visit) -> None:
        page = await visit(url, size=PHONE, theme="dark", locale="ja-JP")

A test with its own event loop opens its own browser: `async with browsing() as visit:`. Without a Chromium the tests
are skipped, but fail if the environment says CI=true. They also fail if a page throws an error or violates its content
security policy.

Tests address the practice page by its URL and by attributes of its elements:

- URL: `/?user=U…#C…` (a channel), `#C…/ts` (a thread), `#home`
- `data-testid`: `messages` and `thread-messages` (the lists), `message` (with `data-ts`, `data-user`), `content`,
  `thread-bar`, `message-menu`, `composer`, `thread-composer`, `editor`, `person-switcher`, `person-U…`, `channel-NAME`,
  `bot-messages`, `app-home`, `home`, `modal` (with `data-view-id`, `data-callback-id`), `submit`, `close-view`,
  `field-error`, `confirm`, `toast`, `connection`, `locale`, `theme`
- controls: `data-block-id` and `data-action-id`
"""

import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Playwright, async_playwright, expect

DESKTOP = (1280, 800)
PHONE = (390, 780)
Visit: TypeAlias = Callable[..., Awaitable[Page]]
Look: TypeAlias = tuple[tuple[int, int], str, str]
"""A window's size, theme and locale."""
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
_WAIT_MS = 20_000  # long enough for a busy machine; otherwise nothing takes this long

expect.set_options(timeout=_WAIT_MS)


def _may_skip() -> bool:
    return os.environ.get("CI") != "true"  # noqa: TID251 - a fact about the test machine, not a setting of the bot


def _path(library: Playwright) -> str:
    own = library.chromium.executable_path
    path = next(filter(None, map(shutil.which, _PROGRAMS)), own if Path(own).exists() else None)
    if path is None and _may_skip():
        pytest.skip("Browser tests are skipped: there is no Chromium.")
    if path is None:
        pytest.fail("CI has no Chromium, so the practice page cannot be tested.")
    return path


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run a browser until the block ends."""
    async with async_playwright() as library:
        browser = await library.chromium.launch(executable_path=_path(library), args=_ARGS)
        yield browser
        await browser.close()


class Windows:
    """The windows of a browser. A test that has ended leaves its windows, emptied, to the next ones.

    A new window with its process and its first page costs more than a second of a processor.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[Look, list[Page]] = defaultdict(list)

    async def open(self, look: Look) -> Page:
        """Return a window that shares no cookies, storage or pages with another one."""
        return self._free[look].pop() if self._free[look] else await _window(self._browser, look)

    async def give_back(self, look: Look, page: Page) -> None:
        """Empty a window for the next test."""
        context, shown = page.context, urlsplit(page.url)
        for other in context.pages:
            if other is not page:
                await other.close()
        await page.goto("about:blank")
        await page.mouse.move(0, 0)  # else the next page begins with something hovered
        await context.clear_cookies()
        session = await context.new_cdp_session(page)
        origin = {"origin": f"{shown.scheme}://{shown.netloc}", "storageTypes": "all"}
        await session.send("Storage.clearDataForOrigin", origin)
        await session.detach()
        self._free[look].append(page)


@asynccontextmanager
async def visiting(windows: Windows) -> AsyncIterator[Visit]:
    """Open pages in a browser, and check at the end that none of them had an error.

    Yields:
        `visit(url, size=DESKTOP, theme="light", locale="en-US")`, which opens a page in its own window.
    """
    faults: list[str] = []
    opened: list[tuple[Look, Page]] = []

    def note_error(fault: Error) -> None:
        faults.append(str(fault))

    def note_line(line: ConsoleMessage) -> None:
        if "Content Security Policy" in line.text:
            faults.append(line.text)

    async def visit(url: str, *, size: tuple[int, int] = DESKTOP, theme: str = "light", locale: str = "en-US") -> Page:
        look = (size, theme, locale)
        page = await windows.open(look)
        opened.append((look, page))
        page.on("pageerror", note_error)
        page.on("console", note_line)
        await page.goto(url)
        await page.wait_for_selector("body[data-ready]")
        return page

    try:
        yield visit
    finally:
        for look, page in opened:
            page.remove_listener("pageerror", note_error)
            page.remove_listener("console", note_line)
            await windows.give_back(look, page)
    assert faults == []


@asynccontextmanager
async def browsing() -> AsyncIterator[Visit]:
    """Open a browser for one test, in any event loop."""
    async with launched() as browser, visiting(Windows(browser)) as visit:
        yield visit


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def windows() -> AsyncIterator[Windows]:
    async with launched() as browser:
        yield Windows(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(windows: Windows) -> AsyncIterator[Visit]:
    async with visiting(windows) as visit:
        yield visit


async def _window(browser: Browser, look: Look) -> Page:
    size, theme, locale = look
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale=locale,
        timezone_id="Asia/Tokyo",
        has_touch=size == PHONE,
    )
    context.set_default_timeout(_WAIT_MS)
    return await context.new_page()
