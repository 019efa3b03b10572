"""Start and stop as seen from outside: not ready before every part answers, and a stop that hands work back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from pydantic import SecretStr

from bot.app.running import open_bot
from bot.practice import Person, Server, Workspace, serve
from bot.settings import Settings
from storage.database import SESSION, Database
from storage.store import SqlStore
from tests.kits.migrated import migrated_postgresql
from tests.kits.openai_server import CHAT, OpenAIServer, Reply
from tests.loop.program import MANIFEST

pytestmark = pytest.mark.timeout(90)
MINUTE = timedelta(minutes=1)
MODEL = "GET /v1/models/small"


@pytest.fixture
async def model() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer().running() as running:
        yield running


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve(Workspace(MANIFEST)) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, server: Server, model: OpenAIServer) -> Settings:
    return Settings(
        _env_file=None,
        slack_bot_token=SecretStr(server.bot_token),
        slack_app_token=SecretStr(server.app_token),
        slack_api_url=server.api_url,
        openai_base_url=model.url,
        openai_api_key=SecretStr("sk-1"),
        bot_serving="openai/small",
        database_url=f"sqlite:///{tmp_path}/bot.db",
        bot_language="en",
        bot_channels=[server.channels.help_desk.id],
        bot_drain_seconds=0,
    )


async def test_ready_once_model_answered_and_slack_is_there(
    settings: Settings, server: Server, model: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.server.health.HEALTH_CACHE_SECONDS", 0.0)
    monkeypatch.setattr("bot.app.readiness.MODEL_SECONDS", 0.0)

    async def not_ready() -> tuple[int, list[str], dict[str, str]]:
        answer = await http.get("/readyz")
        told: dict[str, Any] = answer.json()
        return answer.status_code, told["not_ready"], told["parts"]

    async with (
        open_bot(settings) as running,
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        for trouble in (Reply(lost=True), Reply({"error": {"message": "bad key"}}, 401), Reply({}, 500)):
            model.on(MODEL, trouble)
            assert (await not_ready())[:2] == (503, ["model"])
            assert (await http.get("/healthz")).status_code == 200
        model.on(MODEL, Reply({"id": "small"}))
        assert (await not_ready())[:2] == (200, [])
        model.on(MODEL, Reply({}, 500))
        status, missing, parts = await not_ready()
        assert (status, missing) == (200, []), "the fallback and the inbox are for that"
        assert parts["model"] != "ok"
        server.faults.fail("apps.connections.open", calls=1000)
        await server.drop_sockets()
        async with asyncio.timeout(10):
            while (await not_ready())[1] != ["slack"]:  # noqa: ASYNC110 - the socket is lost somewhere else
                await asyncio.sleep(0.02)


async def test_stop_frees_its_work_and_leaves_no_lease(settings: Settings, server: Server, model: OpenAIServer) -> None:
    model.on(CHAT, Reply(wait_s=60.0))
    async with Person(server.url, server.people.employees[1].id) as asker, open_bot(settings) as running:
        await asker.say(server.channels.help_desk.id, "My laptop is broken.")
        async with asyncio.timeout(20):
            while not model.sent(CHAT):  # noqa: ASYNC110 - it is asked somewhere else
                await asyncio.sleep(0.02)
        async with running.core.ports.store.transaction() as tx:
            assert await tx.inbox.claim("another", running.core.ports.clock.now(), MINUTE) is None
            assert await tx.leases.all()
    database = Database(settings.database_url)
    async with SqlStore(database).transaction() as tx:
        freed = await tx.inbox.claim("another", running.core.ports.clock.now(), MINUTE)
        assert freed is not None
        assert freed.arrival.text == "My laptop is broken."
        assert (await tx.leases.all(), await tx.replicas.seen(running.core.ports.clock.now() - MINUTE)) == ([], [])
    await database.close()


async def test_paused_replica_does_not_end_a_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that is paused before its first heartbeat is committed locks the leases until its session ends."""
    monkeypatch.setitem(SESSION, "lock_timeout", "300ms")
    monkeypatch.setattr("bot.app.lifecycle.BEAT", timedelta(seconds=0.5))
    url = migrated_postgresql()
    with psycopg.connect(url) as paused:
        paused.execute("INSERT INTO leases VALUES ('follow', 'paused', 'token', now())")
        async with open_bot(settings.model_copy(update={"database_url": url})) as running:
            assert (await running.core.acts.reporting.status()).serving.name == "v1"
            paused.rollback()
            async with asyncio.timeout(30):
                while not (await running.core.acts.reporting.status()).replicas:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
