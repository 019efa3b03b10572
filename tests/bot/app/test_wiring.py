"""The core that every command opens."""

from pathlib import Path

import pytest

from bot.app.wiring import open_core
from bot.domain.errors import ModelError, Trouble
from bot.domain.release import ModelName
from bot.embedded.trained import LEARNER
from bot.practice import STAFF_GROUP_ID, TEAM_GROUP_IDS
from bot.settings import Settings
from tests.kits.embedding_server import EmbeddingServer
from tests.kits.openai_server import refusal


async def test_commands_beside_practice_keep_the_sample_owners(tmp_path: Path) -> None:
    """`import` and `export` open the same database as the running practice workspace."""
    settings = Settings(_env_file=None, database_url=f"sqlite:///{tmp_path}/one.db", bot_language="en")
    for _ in range(2):
        async with open_core(settings) as core:
            prompt = await core.acts.prompting.current()
            assert {category.owner for category in prompt.categories} == {STAFF_GROUP_ID, *TEAM_GROUP_IDS.values()}


async def test_embedded_model_has_vectors_of_another_provider(tmp_path: Path) -> None:
    async with EmbeddingServer().running() as service:
        assert isinstance(service, EmbeddingServer)
        settings = Settings(
            _env_file=None,
            database_url=f"sqlite:///{tmp_path}/one.db",
            bot_language="ja",
            bot_encoder="acme/embed",
            bot_providers={"ACME": {"base_url": service.url, "api_key": "sk-acme"}},
        )
        base = ModelName(provider="local", model="base")
        for _ in range(2):
            async with open_core(settings) as core:
                answer = await core.ports.model.classify(base, core.prompt, "年休はいつまでに申請しますか")
                assert answer.revision == core.ports.embedded.revision(base) == f"fp_{LEARNER}_acme/embed"
        sent = list(service.texts)
        assert "年休はいつまでに申請しますか" in sent
        assert len(sent) == len(set(sent)), "the second start finds all vectors in the database"
        assert {got.headers["authorization"] for got in service.requests} == {"Bearer sk-acme"}
        service.down = refusal(401, "bad key")
        async with open_core(settings) as core:
            with pytest.raises(ModelError) as raised:
                await core.ports.model.classify(base, core.prompt, "健康診断の予約を変えたい")
        assert (raised.value.trouble, raised.value.model) == (Trouble.KEY, "acme/embed")
