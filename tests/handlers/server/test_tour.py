"""The first-steps card of the practice page: what it is told of the bot, and the sample examples."""

from pathlib import Path

import httpx2
from starlette.applications import Starlette

from bot.app.wiring import open_core
from bot.settings import Settings
from handlers.server.tour import SAMPLE_EXAMPLES, Tour


async def test_tour_is_told_and_filled_once(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, database_url=f"sqlite:///{tmp_path}/one.db", bot_language="ja", bot_encoder="none"
    )
    tour = Tour(settings.prompt_folder)
    transport = httpx2.ASGITransport(app=Starlette(routes=tour.routes))
    async with httpx2.AsyncClient(transport=transport, base_url="http://tour") as page:
        assert (await page.get("/tour")).status_code == (await page.post("/tour/fill")).status_code == 503
        async with open_core(settings) as core:
            tour.start(core.ports.store, core.acts.importing)
            told = (await page.get("/tour")).json()
            assert told["fillable"]
            assert not any(told[step] for step in ("asked", "corrected", "training", "trained", "asked_again"))
            for _ in range(2):
                assert (await page.post("/tour/fill")).json()["examples"] == SAMPLE_EXAMPLES
