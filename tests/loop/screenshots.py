"""The pictures of README.md and README.ja.md: `python -m tests.loop.screenshots docs/images` writes them."""

import asyncio
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

from bot.app.running import open_bot
from bot.settings import Settings
from tests.kits.browser import browsing
from tests.loop.browser_story import live_through
from tests.loop.story import STORIES, open_loop_desk

KEPT = {"refused", "corrected", "start", "switched"}


def lean(file: Path) -> None:
    """Reduce a picture to 256 colours, which every screen here can do with: a third of the size."""
    with Image.open(file) as picture:
        made = picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    made.save(file, optimize=True)


async def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for story in STORIES:

        async def shot(page: Page, name: str, language: str = story.language) -> None:
            await page.wait_for_timeout(500)
            if name in KEPT:
                file = folder / f"{name}.{language}.png"
                await page.screenshot(path=file)
                lean(file)

        with tempfile.TemporaryDirectory() as data:
            settings = Settings(_env_file=None, database_url=f"sqlite:///{data}/loop.db", bot_language=story.language)
            async with browsing() as visit, open_bot(settings) as running, open_loop_desk(running) as desk:
                await live_through(visit, running, desk, story, shot)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
