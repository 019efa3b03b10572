"""Health checks over HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping

import httpx2
import pytest

from bot.domain.faults import Fault
from handlers.server.health import CHECK_SECONDS, HEALTH_CACHE_SECONDS, Health, HealthPart
from handlers.server.web import PortTaken, serve_http


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(now: ManualClock) -> Health:
    return Health(now)


@pytest.fixture
async def http(health: Health) -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serve_http("127.0.0.1", 0, health.routes) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        yield client


async def metrics(ready: Mapping[str, bool]) -> bytes:
    return json.dumps(ready).encode()


async def ready() -> HealthPart:
    return HealthPart(ready=True)


async def test_readiness_follows_start_and_drain(health: Health, http: httpx2.AsyncClient) -> None:
    assert (await http.get("/healthz")).status_code == 200
    starting = await http.get("/readyz")
    assert (starting.status_code, starting.json()["parts"]) == (503, {"process": "starting"})
    assert (await http.get("/metrics")).status_code == 503
    health.start_checks({"database": ready}, metrics)
    on_duty = await http.get("/readyz")
    assert (on_duty.status_code, on_duty.json()["not_ready"]) == (200, [])
    assert (await http.get("/metrics")).json() == {"process": True, "database": True}
    health.drain()
    draining = await http.get("/readyz")
    assert (draining.status_code, draining.json()["not_ready"]) == (503, ["process"])
    assert (await http.get("/healthz")).status_code == 200


async def test_unready_parts_are_named_without_secrets(
    health: Health, http: httpx2.AsyncClient, now: ManualClock
) -> None:
    async def broken() -> HealthPart:
        raise ConnectionError("postgresql://bot:s3cr3t@db")

    async def down() -> HealthPart:
        return HealthPart(ready=False, detail="the socket is not connected")

    health.start_checks({"database": broken, "slack": down, "model": ready}, metrics)
    answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "not_ready": ["database", "slack"],
        "parts": {
            "process": "running",
            "database": "ConnectionError",
            "slack": "the socket is not connected",
            "model": "ok",
        },
    }


async def test_concurrent_requests_share_one_check(health: Health, http: httpx2.AsyncClient, now: ManualClock) -> None:
    asked = 0

    async def counted() -> HealthPart:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        return HealthPart(ready=asked < 2)

    health.start_checks({"database": counted}, metrics)
    answers = await asyncio.gather(*(http.get("/readyz") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert asked == 1
    now.seconds += HEALTH_CACHE_SECONDS
    assert (await http.get("/readyz")).status_code == 503
    assert asked == 2


async def test_hanging_check_is_not_ready(
    health: Health, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.server.health.CHECK_SECONDS", CHECK_SECONDS / 60)

    async def hangs() -> HealthPart:
        await asyncio.sleep(60)
        return HealthPart(ready=True)

    health.start_checks({"database": hangs, "slack": ready}, metrics)
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["not_ready"]) == (503, ["database"])


async def test_port_in_use_is_reported_with_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as taken:
            async with serve_http("127.0.0.1", port, []):
                pass
    (problem,) = taken.value.problems
    assert problem.what is Fault.PORT_TAKEN
    assert problem.facts["address"] == f"127.0.0.1:{port}"
