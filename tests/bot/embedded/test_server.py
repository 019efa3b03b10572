"""The whole server: API keys, models, errors, and the standalone program."""

import asyncio
import io
import json
import socket
from pathlib import Path

import httpx2
import numpy as np
import openai
import pytest
from openai import AsyncOpenAI
from openai.types import Model

from bot.embedded import FolderShelf, LocalModel
from tests.bot.embedded.kit import ask, client_of, jsonl, trained
from tests.kits.forked_programs import forked


async def test_api_key_is_required_if_set(shelf: FolderShelf) -> None:
    model = LocalModel(shelf, api_key="right")
    async with client_of(model, "wrong") as wrong, client_of(model, "right") as right:
        with pytest.raises(openai.AuthenticationError) as refused:
            await wrong.models.list()
        assert refused.value.code == "invalid_api_key"
        assert [one.id async for one in right.models.list()] == ["base", "characters"]


async def test_base_model_is_found_and_cannot_be_deleted(client: AsyncOpenAI) -> None:
    found = await client.models.retrieve("base")
    Model.model_validate(json.loads(found.to_json()), strict=True)
    with pytest.raises(openai.PermissionDeniedError):
        await client.models.delete("base")
    for absent in ("gpt-5", "ft:base:x::../../x", "ft:base:x::12345678"):
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve(absent)
        assert refused.value.code == "model_not_found"


async def test_errors_have_openai_format(shelf: FolderShelf) -> None:
    transport = httpx2.ASGITransport(app=LocalModel(shelf).app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://local/v1") as http:
        for method, path, body, status in (
            ("POST", "/chat/completions", b"{", 400),
            ("POST", "/chat/completions", b"[]", 400),
            ("POST", "/chat/completions", b"{}", 400),
            ("POST", "/fine_tuning/jobs", b'{"model": 5}', 400),
            ("GET", "/engines", b"", 404),
            ("PUT", "/models", b"", 405),
        ):
            response = await http.request(method, path, content=body)
            assert response.status_code == status
            assert response.json()["error"].keys() == {"message", "type", "param", "code"}


def _of_an_earlier_learner(data: bytes, vectors: np.ndarray) -> bytes:
    """Return a model's file as an earlier learner wrote it: with the vector of each row."""
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        arrays = dict(packed)
    arrays["known"] = vectors.astype(np.float16)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _known(data: bytes) -> np.ndarray:
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        return np.asarray(packed["known"], dtype=np.float32)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_start_takes_row_vectors_out_of_models(shelf: FolderShelf, *, forgotten: bool) -> None:
    async with client_of(LocalModel(shelf)) as client:
        name = (await trained(client, jsonl())).fine_tuned_model or ""
    (file,) = [one for one in await shelf.names("models/") if one.endswith(".npz")]
    rows = np.random.default_rng(5).normal(size=(40, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    await shelf.put(file, _of_an_earlier_learner(await shelf.get(file), rows))
    described = file.replace(".npz", ".json")
    record = json.loads(await shelf.get(described))
    del record["keeps"]
    await shelf.put(described, json.dumps(record).encode())
    async with LocalModel(shelf) as model, client_of(model) as client:
        if forgotten:
            await client.delete(f"/models/{name}/texts", cast_to=httpx2.Response)
        answer = await ask(client, "残業の手続き", name)
        while "keeps" not in json.loads(await shelf.get(described)):  # noqa: ASYNC110 - another process may write it
            await asyncio.sleep(0.02)
        again = await ask(client, "残業の手続き", name)
    assert answer.choices[0].message.content == again.choices[0].message.content
    kept = _known(await shelf.get(file))
    assert len(kept) == 0 if forgotten else 1 < len(kept) <= len(rows) // 3
    assert not kept.size or (kept @ rows.T).max() < 0.99


class _BrokenShelf(FolderShelf):
    async def names(self, prefix: str) -> list[str]:
        raise OSError(f"The disk is on fire at {prefix}")


async def test_server_error_hides_details(tmp_path: Path) -> None:
    async with client_of(LocalModel(_BrokenShelf(tmp_path))) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            await client.models.list()
    assert failed.value.type == "server_error"
    assert "fire" not in str(failed.value)


async def test_server_runs_as_standalone_program(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = forked("bot.embedded", "--port", str(port), "--folder", str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with AsyncOpenAI(api_key="any", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
            for _ in range(400):
                try:
                    completion = await ask(client, "有給の申請はいつまで？")
                    break
                except openai.APIConnectionError:
                    await asyncio.sleep(0.05)
            else:
                pytest.fail("the server did not answer")
        assert '"category":"労務"' in completion.choices[0].message.content
    finally:
        process.terminate()
        await process.wait()
