"""The moving picture of the README files: `python -m tests.loop.moving_picture docs/images` writes one a language."""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

from bot.app.running import open_bot
from bot.settings import ROOT, Settings
from tests.kits.browser import browsing
from tests.loop.newcomer import TEAMS, Newcomer

SIZE = (1000, 640)
SHOWN = (800, 512)
COLOURS = 255
STEP_MS = 2200
END_MS = 5000


async def still(page: Page) -> Image.Image:
    """Return what the page shows, once nothing moves."""
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(600)
    with Image.open(io.BytesIO(await page.screenshot())) as picture:
        small = picture.convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
    return small.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


async def walk(language: str) -> list[Image.Image]:
    """Ask, correct and ask again on a new page; return a picture of each step."""
    with tempfile.TemporaryDirectory() as data:
        url = f"sqlite:///{data}/loop.db"
        settings = Settings(_env_file=None, database_url=url, bot_prompt=ROOT / "prompts" / language)
        async with browsing() as visit, open_bot(settings) as running:
            page = await visit(running.url, size=SIZE, locale="ja-JP" if language == "ja" else "en-US")
            newcomer = Newcomer(page)
            await page.get_by_test_id("tour-ask-1").wait_for()
            pictures = [await still(page)]
            await newcomer.step("ask-1")
            await newcomer.done(1)
            await newcomer.card.wait_for()
            pictures.append(await still(page))
            await newcomer.step("as-staff")
            await newcomer.card.wait_for()
            pictures.append(await still(page))
            await newcomer.correct(TEAMS[language])
            await newcomer.done(2)
            pictures.append(await still(page))
            await newcomer.step("fill")
            await newcomer.step("as-admin")
            await newcomer.train()
            await newcomer.done(3)
            await newcomer.step("again-1")
            await newcomer.done(4)
            await newcomer.card.wait_for()
            pictures.append(await still(page))
    return pictures


async def main(folder: Path) -> None:
    for language in ("en", "ja"):
        first, *rest = await walk(language)
        times = [STEP_MS] * len(rest) + [END_MS]
        file = folder / f"loop.{language}.gif"
        first.save(file, save_all=True, append_images=rest, duration=times, loop=0, optimize=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
