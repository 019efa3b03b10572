"""The files endpoint in OpenAI's format."""

import json

import openai
import pytest
from openai import AsyncOpenAI
from openai.types import FileDeleted, FileObject

from bot.embedded import FolderShelf, LocalModel
from tests.bot.embedded.kit import client_of


async def test_file_is_stored_listed_read_and_deleted(client: AsyncOpenAI) -> None:
    made = await client.files.create(file=("質問.jsonl", "有給\n".encode()), purpose="fine-tune")
    FileObject.model_validate(json.loads(made.to_json()), strict=True)
    assert (made.bytes, made.filename, made.status) == (7, "質問.jsonl", "processed")
    assert await client.files.retrieve(made.id) == made
    assert [file.id async for file in client.files.list(purpose="fine-tune")] == [made.id]
    assert [file.id async for file in client.files.list(purpose="batch")] == []
    assert (await client.files.content(made.id)).text == "有給\n"
    gone = await client.files.delete(made.id)
    assert FileDeleted.model_validate(json.loads(gone.to_json()), strict=True).deleted
    with pytest.raises(openai.NotFoundError, match="No such File"):
        await client.files.retrieve(made.id)


async def test_file_of_earlier_version_is_read_and_deleted(shelf: FolderShelf) -> None:
    async with LocalModel(shelf) as model, client_of(model) as client:
        repeated = b'{"the same": "in each line"}\n' * 10_000
        made = await client.files.create(file=("rows.jsonl", repeated), purpose="fine-tune")
        packed = await shelf.get(f"files/{made.id}.zz")
        assert len(packed) < len(repeated) / 20
        await shelf.delete(f"files/{made.id}.zz")
        await shelf.put(f"files/{made.id}.bin", repeated)
        assert (await client.files.content(made.id)).content == repeated
        await client.files.delete(made.id)
    assert await shelf.names("files/") == []


async def test_files_are_listed_in_pages_by_date(shelf: FolderShelf) -> None:
    seconds = iter(range(1000, 9000))
    model = LocalModel(shelf, clock=lambda: float(next(seconds)))
    async with client_of(model) as client:
        made = [(await client.files.create(file=(f"{n}.jsonl", b"x"), purpose="fine-tune")).id for n in range(5)]
        first = await client.files.list(limit=2)
        assert first.has_more
        assert [file.id async for file in client.files.list(limit=2)] == made[::-1]
        assert [file.id async for file in client.files.list(order="asc")] == made


async def test_expired_file_is_deleted(shelf: FolderShelf) -> None:
    now = [1_000_000.0]
    async with client_of(LocalModel(shelf, clock=lambda: now[0])) as client:
        made = await client.files.create(
            file=("a.jsonl", b"x"), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600}
        )
        assert made.expires_at == 1_003_600
        now[0] += 3599
        await client.files.retrieve(made.id)
        now[0] += 1
        with pytest.raises(openai.NotFoundError):
            await client.files.content(made.id)
    assert await shelf.names("files/") == []


async def test_invalid_file_requests_are_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.files.create(file=("a", b"x"), purpose="fun")  # type: ignore[arg-type] # on purpose
    assert refused.value.param == "purpose"
    with pytest.raises(openai.BadRequestError, match="1 byte"):
        await client.files.create(file=("a", b""), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match="3600"):
        await client.files.create(
            file=("a", b"x"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 5}
        )
    with pytest.raises(openai.BadRequestError, match="multipart"):
        await client.post("/files", body={"purpose": "fine-tune"}, cast_to=FileObject)
    with pytest.raises(openai.BadRequestError, match="limit"):
        await client.files.list(limit=0)
    with pytest.raises(openai.BadRequestError, match="No object found"):
        await client.files.list(after="file-x")
