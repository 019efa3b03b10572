"""The addresses of providers, and the connections to them."""

import asyncio
import gzip
import json
import ssl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.domain.errors import ModelError
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.providers.client import AiohttpTransport, ProviderClient
from bot.providers.model import OpenAIModel
from bot.providers.providers import Provider, Providers, address_to_try
from tests.kits.front import Front
from tests.kits.openai_server import CHAT, OpenAIServer, said
from tests.kits.running_server import port_of, running_server


@pytest.mark.parametrize(
    ("base_url", "other"),
    [
        ("http://gpu:8000", "http://gpu:8000/v1"),
        ("http://gpu:8000/", "http://gpu:8000/v1"),
        ("http://me:secret@gpu:8000", "http://gpu:8000/v1"),
        ("https://host/api", "https://host/api/v1"),
        ("https://host/v1/chat/completions", "https://host/v1"),
        ("https://host/v1/models/", "https://host/v1"),
        ("https://res.openai.azure.com/", "https://res.openai.azure.com/openai/v1"),
        ("https://res.openai.azure.com/openai", "https://res.openai.azure.com/openai/v1"),
        ("https://host/v1", None),
        ("https://host/v1/", None),
        ("https://host/v1beta/", None),
        ("https://host/api/v3", None),
    ],
)
def test_address_to_try_ends_in_a_version(base_url: str, other: str | None) -> None:
    assert address_to_try(base_url) == other


async def test_questions_share_kept_connections(server: OpenAIServer, model: ModelName, prompt: Prompt) -> None:
    server.on(CHAT, said("HR"))
    async with Front(server.url).running() as front:
        providers = Providers([Provider(model.provider, front.url)])
        asked = OpenAIModel(providers)
        for _ in range(10):
            await asked.classify(model, prompt, "休みは？")
        assert front.connections == 1
        await asyncio.gather(*(asked.classify(model, prompt, "休みは？") for _ in range(4)))
        assert front.connections <= 4
        await front.hang_up()
        assert (await asked.classify(model, prompt, "休みは？")).category == "hr"
        await providers.aclose()


async def test_packed_answer_is_read(model: ModelName, prompt: Prompt) -> None:
    async def answer(request: Request) -> Response:
        assert "gzip" in request.headers["accept-encoding"]
        packed = gzip.compress(json.dumps(said("HR").body).encode())
        return Response(packed, headers={"content-encoding": "gzip"}, media_type="application/json")

    async with running_server(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])) as server:
        providers = Providers([Provider(model.provider, f"http://127.0.0.1:{port_of(server)}/v1")])
        assert (await OpenAIModel(providers).classify(model, prompt, "休みは？")).category == "hr"
        await providers.aclose()


async def test_proxy_is_used_for_other_machines(
    server: OpenAIServer, model: ModelName, prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on(CHAT, said("HR"))
    async with Front(server.url).running() as front:
        monkeypatch.setenv("http_proxy", front.url.removesuffix("/v1"))
        providers = Providers([Provider("far", "http://models.example/v1"), Provider(model.provider, server.url)])
        asked = OpenAIModel(providers)
        assert (await asked.classify(model, prompt, "休みは？")).category == "hr"
        assert front.connections == 0, "this machine is reached without it"
        with pytest.raises(ModelError):  # the server behind is no proxy
            await asked.classify(ModelName(provider="far", model="m"), prompt, "休みは？")
        assert front.connections == 1
        await providers.aclose()


@pytest.mark.parametrize(("variable", "fast"), [("no_proxy", 1), ("https_proxy", 0)])
async def test_exceptions_alone_are_no_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, fast: int) -> None:
    made: list[object] = []

    class CountedTransport(AiohttpTransport):
        def __init__(self, trust: ssl.SSLContext) -> None:
            super().__init__(trust)
            made.append(self)

    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv(variable, "http://proxy.example")
    monkeypatch.setattr("bot.providers.client.AiohttpTransport", CountedTransport)
    providers = Providers([Provider("far", "http://models.example/v1")])
    assert isinstance(providers["far"], ProviderClient)
    assert len(made) == fast
    await providers.aclose()


async def test_failed_close_leaves_no_client_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise OSError("gone")

    providers = Providers([Provider(name, f"http://{name}.example/v1") for name in ("a", "b", "c")])
    clients = [providers[name] for name in providers]
    monkeypatch.setattr(clients[1], "close", fail)
    with pytest.raises(OSError, match="gone"):
        await providers.aclose()
    assert [client.is_closed() for client in clients] == [True, False, True]
