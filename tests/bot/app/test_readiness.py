"""Work in the background after a start, so that the first question is as fast as the later ones."""

from pathlib import Path

import pytest

from bot.app.readiness import warm_up
from bot.app.telemetry import Telemetry
from bot.app.wiring import open_core
from bot.domain.thing import Thing
from bot.settings import Settings
from tests.kits.openai_server import OpenAIServer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/one.db", bot_language="en", bot_encoder="none")


async def test_warm_up_asks_the_embedded_model(settings: Settings) -> None:
    class Later(Thing):
        name: str

    telemetry = Telemetry("1")
    assert not Later.__pydantic_complete__
    async with open_core(settings, telemetry=telemetry) as core:
        await warm_up(core)
    assert 'madoguchi_model_seconds_count{model="local/base",outcome="answered"} 1.0' in telemetry.text().decode()
    assert Later.__pydantic_complete__, "all validators are built"


async def test_warm_up_asks_no_other_provider(settings: Settings) -> None:
    async with OpenAIServer().running() as server:
        paid = settings.model_copy(update={"openai_api_key": "sk-1", "openai_base_url": server.url})
        async with open_core(paid) as core:
            assert (await core.acts.releasing.serving()).model.provider == "openai"
            await warm_up(core)
        assert server.requests == []
