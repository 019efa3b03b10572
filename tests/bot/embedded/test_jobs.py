"""Fine-tuning jobs from the request to the model, including restarts."""

import asyncio
import json
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from bot.embedded import FolderShelf, LocalModel
from bot.embedded.learner import learn
from bot.embedded.ledger import Ledger
from bot.embedded.runner import worker
from bot.embedded.trained import to_bytes
from bot.embedded.training_set import TrainingTask
from tests.bot.embedded.kit import PROMPT, ROWS, ask, client_of, jsonl, trained, wait_until_ended

pytestmark = pytest.mark.usefixtures("fast_training")


async def upload(client: AsyncOpenAI, data: bytes) -> str:
    return (await client.files.create(file=("rows.jsonl", data), purpose="fine-tune")).id


@pytest.mark.usefixtures("started_training")
async def test_job_trains_while_requests_are_answered(client: AsyncOpenAI, shelf: FolderShelf) -> None:
    question = "昇格のことで相談"
    assert '"category":"人事"' not in (await ask(client, question)).choices[0].message.content
    held = await upload(client, jsonl([(f"{text}ください", label) for text, label in ROWS[::3]]))
    more: dict[str, Any] = {"suffix": "Desk 1", "metadata": {"run": "1"}, "validation_file": held, "seed": 7}
    job = await client.fine_tuning.jobs.create(model="base", training_file=await upload(client, jsonl()), **more)
    for _ in range(11):
        await ask(client, question)
    assert (await client.fine_tuning.jobs.retrieve(job.id)).status not in {"succeeded", "failed"}
    job = await wait_until_ended(client, job.id)
    FineTuningJob.model_validate(json.loads(job.to_json()), strict=True)
    assert (job.status, job.error, job.seed, job.metadata) == ("succeeded", None, 7, {"run": "1"})
    assert job.fine_tuned_model == f"ft:base:desk-1::{job.id[-8:]}"
    assert (job.hyperparameters.n_epochs, (job.trained_tokens or 0) > 1000) == (3, True)
    answer = (await ask(client, question, model=job.fine_tuned_model)).choices[0].message.content
    assert '"category":"人事"' in answer
    assert "昇格" in answer

    events = [event async for event in client.fine_tuning.jobs.list_events(job.id, limit=3)]
    for event in events:
        FineTuningJobEvent.model_validate(json.loads(event.to_json()), strict=True)
    assert events[0].message == "The job has successfully completed"
    assert events[-1].message == f"Created fine-tuning job: {job.id}"
    folds: list[Any] = [event.data for event in events if event.message.startswith("Fold")]
    assert [fold["percent"] for fold in folds] == [83, 67, 50, 33, 17]
    [checkpoint] = [one async for one in client.fine_tuning.jobs.checkpoints.list(job.id)]
    FineTuningJobCheckpoint.model_validate(json.loads(checkpoint.to_json()), strict=True)
    assert checkpoint.metrics.full_valid_loss is None
    assert (checkpoint.metrics.valid_mean_token_accuracy or 0) > 0.9
    assert (await client.files.content(job.result_files[0])).text.startswith("step,valid_loss,valid_accuracy\n1,")

    async with client_of(LocalModel(shelf)) as other:
        assert (await ask(other, question, model=job.fine_tuned_model)).choices[0].message.content == answer
        assert [one.id async for one in other.models.list()] == ["base", "characters", job.fine_tuned_model]
        assert (await other.models.delete(str(job.fine_tuned_model))).deleted
        with pytest.raises(openai.NotFoundError):
            await ask(other, question, model=job.fine_tuned_model)


async def test_fine_tuned_model_can_be_tuned_again(client: AsyncOpenAI) -> None:
    first = await trained(client, jsonl(ROWS[:18]))
    second = await trained(client, jsonl(ROWS[18:]), model=first.fine_tuned_model)
    assert second.model == first.fine_tuned_model
    for question, label in (("残業の手続き", "労務"), ("野球について相談", "その他")):
        found = await ask(client, question, model=str(second.fine_tuned_model))
        assert f'"category":"{label}"' in found.choices[0].message.content


async def test_invalid_file_fails_job_and_names_line(client: AsyncOpenAI) -> None:
    for bad in ("training_file", "validation_file"):
        files = {name: jsonl() + (b"\n{}" if name == bad else b"") for name in ("training_file", "validation_file")}
        job = await trained(
            client, files["training_file"], validation_file=await upload(client, files["validation_file"])
        )
        assert job.status == "failed"
        assert job.error is not None
        assert (job.error.code, job.error.param) == (f"invalid_{bad}", bad)
        assert "Line 37" in job.error.message
        assert (await client.fine_tuning.jobs.list_events(job.id)).data[0].level == "error"


async def test_cancelled_job_ends_at_once_without_model(client: AsyncOpenAI, shelf: FolderShelf) -> None:
    file = await upload(client, jsonl())
    job = await client.fine_tuning.jobs.create(model="base", training_file=file)
    assert job.status == "validating_files"
    gone = await client.fine_tuning.jobs.cancel(job.id)
    assert gone.status == "cancelled"
    assert gone.finished_at is not None
    with pytest.raises(openai.BadRequestError, match="already"):
        await client.fine_tuning.jobs.cancel(job.id)
    assert (await client.fine_tuning.jobs.retrieve(job.id)).status == "cancelled"
    assert await shelf.names("models/") == []


async def test_abandoned_job_resumes_to_same_model(shelf: FolderShelf) -> None:
    async with LocalModel(shelf) as first, client_of(first) as client:
        job = await client.fine_tuning.jobs.create(model="base", training_file=await upload(client, jsonl()), seed=1)
        while (await client.fine_tuning.jobs.retrieve(job.id)).status == "validating_files":  # noqa: ASYNC110 -- the API has no event to wait for
            await asyncio.sleep(0.02)
    async with client_of(LocalModel(shelf)) as idle:
        assert (await idle.fine_tuning.jobs.retrieve(job.id)).status in {"queued", "running"}
    async with LocalModel(shelf) as second, client_of(second) as client:
        assert (await wait_until_ended(client, job.id)).status == "succeeded"
        messages = [event.message async for event in client.fine_tuning.jobs.list_events(job.id)]
        assert len(messages) == len(set(messages)) == 10
    model = learn(TrainingTask(ROWS, PROMPT, seed=1), lambda *_: None).model
    assert await shelf.get(f"models/{job.id[-8:]}.npz") == to_bytes(model)


async def test_leased_job_waits_until_lease_expires(shelf: FolderShelf) -> None:
    now = [1000.0]
    async with LocalModel(shelf, clock=lambda: now[0]) as model, client_of(model) as client:
        job = await client.fine_tuning.jobs.create(model="base", training_file=await upload(client, b"{}"))
        await wait_until_ended(client, job.id)
    record = json.loads(await shelf.get(f"jobs/{job.id}.json"))
    await shelf.put(f"jobs/{job.id}.json", json.dumps(record | {"status": "running", "error": None}).encode())
    await shelf.put(f"leases/{job.id}.json", json.dumps({"runner": "other", "at": now[0]}).encode())
    async with LocalModel(shelf, clock=lambda: now[0], lease=0.3) as model, client_of(model) as client:
        assert (await client.fine_tuning.jobs.retrieve(job.id)).status == "running"
        await asyncio.sleep(0.3)
        assert (await client.fine_tuning.jobs.retrieve(job.id)).status == "running"
        now[0] += 1
        assert (await wait_until_ended(client, job.id)).status == "failed"


async def test_ended_jobs_are_read_once(shelf: FolderShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for status in ("succeeded", "running"):
        await shelf.put(f"jobs/ftjob-{status}.json", json.dumps({"id": status, "status": status}).encode())
    ledger, read, get = Ledger(shelf, lambda: 0.0), list[str](), shelf.get

    async def noted(name: str) -> bytes:
        read.append(name)
        return await get(name)

    monkeypatch.setattr(shelf, "get", noted)
    for _ in range(3):
        assert [job["id"] for job in await ledger.unfinished()] == ["running"]
    assert (read.count("jobs/ftjob-succeeded.json"), read.count("jobs/ftjob-running.json")) == (1, 3)


@pytest.mark.parametrize("gone", ["training_file", "model"])
async def test_job_fails_when_its_input_is_gone(shelf: FolderShelf, gone: str) -> None:
    async with LocalModel(shelf) as model, client_of(model) as client:
        file = await upload(client, jsonl())
        job = await client.fine_tuning.jobs.create(model="base", training_file=file)
        await client.fine_tuning.jobs.cancel(job.id)
    await shelf.delete(f"cancelled/{job.id}.json")
    await shelf.delete(f"leases/{job.id}.json")
    lost = {"training_file": "file-gone", "model": "ft:base:x::gone"}
    record = json.loads(await shelf.get(f"jobs/{job.id}.json")) | {gone: lost[gone]}
    await shelf.put(f"jobs/{job.id}.json", json.dumps(record).encode())
    async with LocalModel(shelf, lease=0.1) as model, client_of(model) as client:
        assert (failed := await wait_until_ended(client, job.id)).error is not None
        assert "gone" in failed.error.message


@pytest.mark.parametrize("times", [1, 2])
async def test_worker_has_ended_even_if_exit_is_cancelled(tmp_path: Path, times: int) -> None:
    leaving = asyncio.Event()
    workers = list[Process]()

    async def work() -> None:
        async with worker(tmp_path) as process:
            workers.append(process)
            leaving.set()

    task = asyncio.create_task(work())
    await leaving.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(task, return_exceptions=True)
    assert [process.returncode is None for process in workers] == [False]


async def test_jobs_are_listed_by_page_and_metadata(shelf: FolderShelf) -> None:
    seconds = iter(range(1000, 90000))
    async with LocalModel(shelf, clock=lambda: float(next(seconds))) as model, client_of(model) as client:
        file = await upload(client, b"{}")
        made = []
        for run in ("1", "2", "2"):
            job = await client.fine_tuning.jobs.create(model="base", training_file=file, metadata={"run": run})
            made.append(job.id)
            await client.fine_tuning.jobs.cancel(job.id)
        assert [job.id async for job in client.fine_tuning.jobs.list(limit=1)] == made[::-1]
        assert [job.id async for job in client.fine_tuning.jobs.list(metadata={"run": "2"})] == made[:0:-1]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"training_file": "file-x"}, "training_file"),
        ({"validation_file": "file-x"}, "validation_file"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"method": {"type": "dpo"}}, "method"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        (
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"learning_rate_multiplier": "fast"}}}},
            "method.supervised.hyperparameters.learning_rate_multiplier",
        ),
    ],
)
async def test_invalid_job_request_is_refused_before_start(
    client: AsyncOpenAI, shelf: FolderShelf, change: dict[str, Any], param: str
) -> None:
    request = {"model": "base", "training_file": await upload(client, b"{}"), **change}
    with pytest.raises(openai.BadRequestError) as refused:
        await client.fine_tuning.jobs.create(**request)
    assert refused.value.param == param
    assert await shelf.names("jobs/") == []


async def test_wrong_file_purpose_or_unknown_model_is_refused(client: AsyncOpenAI) -> None:
    file = (await client.files.create(file=("a", b"x"), purpose="batch")).id
    with pytest.raises(openai.BadRequestError, match="purpose"):
        await client.fine_tuning.jobs.create(model="base", training_file=file)
    with pytest.raises(openai.NotFoundError):
        await client.fine_tuning.jobs.create(model="gpt-5", training_file=file)
    with pytest.raises(openai.NotFoundError):
        await client.fine_tuning.jobs.retrieve("ftjob-x")
