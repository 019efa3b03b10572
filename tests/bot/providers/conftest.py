"""Fixtures for the provider tests: a scripted server, SDK clients that call it, a model and a prompt."""

from collections.abc import AsyncIterator

import pytest

from bot.domain.prompt import Category, Prompt
from bot.domain.release import ModelName
from bot.providers.providers import Provider, Providers
from tests.kits.openai_server import OpenAIServer


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer().running() as running:
        yield running


@pytest.fixture
async def providers(server: OpenAIServer) -> AsyncIterator[Providers]:
    made = Providers(
        [
            Provider("there", server.url, "sk-secret", kind="compatible"),
            Provider("azure", server.url, "sk-secret", kind="azure"),
        ]
    )
    yield made
    await made.aclose()


@pytest.fixture
def model() -> ModelName:
    return ModelName(provider="there", model="some/model")


@pytest.fixture
def prompt() -> Prompt:
    return Prompt(
        language="ja",
        template="質問を分類してください。",
        categories=(
            Category(id="labor", name="労務", rule="休暇に関わる質問"),
            Category(id="hr", name="HR"),
            Category(id="other", name="その他", other=True),
        ),
    )
