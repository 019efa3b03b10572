"""Requests that no honest client sends: they get a clear refusal, and the server stays without an error."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from bot.embedded import FolderShelf, LocalModel
from bot.embedded.callers import ProgramsOnly
from bot.embedded.rows import InvalidFileError, examples_of
from tests.bot.embedded.kit import answer_format
from tests.kits.deep_json import DEEP, deep_objects

HALF = "\\ud83d"
"""Half of an emoji, as JSON writes it."""


@pytest.fixture
async def http(shelf: FolderShelf) -> AsyncIterator[httpx2.AsyncClient]:
    async with LocalModel(shelf) as model:
        transport = httpx2.ASGITransport(app=model.app)  # raises what the server does not expect
        async with httpx2.AsyncClient(transport=transport, base_url="http://local/v1") as client:
            yield client


@pytest.mark.parametrize("path", ["/chat/completions", "/decisions", "/fine_tuning/jobs"])
@pytest.mark.parametrize("levels", DEEP)
async def test_deep_body_is_refused_in_words(http: httpx2.AsyncClient, path: str, levels: int) -> None:
    for body in (DEEP[levels], deep_objects(levels), f'{{"model": "base", "messages": {DEEP[levels]}}}'):
        refused = await http.post(path, content=body)
        assert refused.status_code == 400
        assert "nested" in refused.json()["error"]["message"]


@pytest.mark.parametrize("levels", DEEP)
def test_deep_training_line_is_named(levels: int) -> None:
    with pytest.raises(InvalidFileError, match="Line 1: not valid JSON"):
        examples_of(f'{DEEP[levels]}\n{{"messages": {DEEP[levels]}}}\n'.encode())


@pytest.mark.parametrize("levels", DEEP)
async def test_deep_answer_in_a_chat_is_a_label(http: httpx2.AsyncClient, levels: int) -> None:
    turns = [("user", "a"), ("assistant", DEEP[levels]), ("user", "有給はいつまで？")]
    chat = {"model": "base", "messages": [{"role": role, "content": text} for role, text in turns]}
    answer = await http.post("/chat/completions", json=chat | {"response_format": answer_format()})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        f'{{"model": "{HALF}", "messages": [{{"role": "user", "content": "x"}}]}}',
        f'{{"model": "base", "messages": [{{"role": "user", "content": "{HALF} leave"}}]}}',
        '{"model": "base", "messages": [{"role": ["user"], "content": "x"}]}',
        '{"model": "base", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": ["text"]}}',
        '{"model": "base", "messages": [{"role": "user", "content": "x"}], "max_tokens": NaN}',
        '{"model": "base", "messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
    ],
)
async def test_odd_values_are_no_server_error(http: httpx2.AsyncClient, body: str) -> None:
    assert (await http.post("/chat/completions", content=body)).status_code in {200, 400, 404}


async def test_half_characters_are_answered_whole(http: httpx2.AsyncClient) -> None:
    labels = json.dumps(answer_format(["leave", "half"])).replace('"half"', f'"{HALF}"')
    body = f'{{"model": "base", "messages": [{{"role": "user", "content": "x"}}], "response_format": {labels}}}'
    answer = await http.post("/chat/completions", content=body)
    assert answer.status_code == 200
    assert json.loads(answer.json()["choices"][0]["message"]["content"])["category"] in {"leave", "\ufffd"}


@pytest.mark.parametrize("path", ["/files/{}", "/files/{}/content", "/models/{}", "/fine_tuning/jobs/{}"])
@pytest.mark.parametrize("name", ["a" * 5000, "%00", "..%2F..%2Fx", "%F0%9F%98%80", "ft:base:x::" + "a" * 300])
async def test_unknown_names_are_not_found(http: httpx2.AsyncClient, path: str, name: str) -> None:
    assert (await http.get(path.format(name))).status_code == 404


@pytest.mark.parametrize("limit", ["9" * 5000, "²", "-1", "1e3", ""])
async def test_odd_limits_are_refused(http: httpx2.AsyncClient, limit: str) -> None:
    for path in ("/files", "/fine_tuning/jobs"):
        assert (await http.get(path, params={"limit": limit})).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "127.0.0.1:8001"}, 200),
        ({"host": "[::1]:8001"}, 200),
        ({"host": "rebound.example:8001"}, 403),
        ({"host": "["}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 403),
        ({"sec-fetch-site": "none"}, 200),
    ],
)
async def test_pages_cannot_call_the_standalone_server(
    shelf: FolderShelf, headers: dict[str, str], status: int
) -> None:
    app = ProgramsOnly(LocalModel(shelf).app, loopback=True)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8001/v1") as client:
        assert (await client.get("/models", headers=headers)).status_code == status
    open_app = ProgramsOnly(LocalModel(shelf).app, loopback=False)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=open_app), base_url="http://model/v1") as client:
        assert (await client.get("/models")).status_code == 200
