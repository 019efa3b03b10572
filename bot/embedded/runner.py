"""Execution of fine-tuning jobs in worker processes, and recovery of jobs whose process died."""

import asyncio
import contextlib
import io
import json
import logging
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from bot.embedded.encoders import Encoder
from bot.embedded.errors import RequestRefused
from bot.embedded.fetched import EncoderUnavailable
from bot.embedded.files import Files
from bot.embedded.ledger import ENDED_STATUSES, Ledger
from bot.embedded.leftovers import held_folder
from bot.embedded.models import Models, model_name
from bot.embedded.rows import InvalidFileError, examples_of, labelled_rows, most_common_system, open_questions

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
WORKER = (sys.executable, "-m", "bot.embedded.train")
"""Command that trains in a process of its own; the job's folder is its last argument."""
_WRONG_NAMED = 20
"""Most wrongly answered examples that an event names, in its data: a message may be logged."""
_WORKER_CRASHED = "The job failed because its worker process ended without a result. You can start it again."


class Runner:
    """Runner of fine-tuning jobs; it trains one model at a time and stores each step before the next begins.

    A job's final status is written last: a client that sees this status also finds all events and the model.

    Args:
        ledger: Storage of jobs.
        files: Source of training files and destination of result files.
        models: Source of parent models and destination of trained models.
        lease: Seconds without a heartbeat after which another process may take over a job. Running a job twice does no
            harm: both runs give the same model under the same name.
    """

    def __init__(self, ledger: Ledger, files: Files, models: Models, lease: float) -> None:
        self._ledger = ledger
        self._files = files
        self._models = models
        self._lease = lease
        self._runner_id = secrets.token_hex(8)
        self._training_slot = asyncio.Semaphore(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Resume unfinished jobs whose lease has expired, and look for more once per lease period."""
        await self._sweep()
        self._sweeper = asyncio.create_task(self._sweep_forever())

    async def stop(self) -> None:
        """Stop all workers; the next start resumes their unfinished jobs."""
        tasks = [*self._tasks.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sweeper = None

    def start_job(self, job: str) -> None:
        """Start a job unless it already runs in this process."""
        if job not in self._tasks:
            self._tasks[job] = task = asyncio.create_task(self._run(job))
            task.add_done_callback(lambda done: self._on_task_done(job, done))

    def _on_task_done(self, job: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job, None)
        if not task.cancelled() and (error := task.exception()):
            _log.error("Fine-tuning job %s failed unexpectedly and will be retried", job, exc_info=error)

    async def cancel(self, job: str) -> None:
        """Cancel a job in any process; if it runs in this one, wait until its worker has ended."""
        await self._ledger.cancel(job)
        if task := self._tasks.get(job):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._ledger.add_event(job, "The job has been cancelled")

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self._lease)
            try:
                await self._sweep()
            except Exception as error:  # noqa: BLE001 - the shelf may be unavailable for a while
                _log.warning("Scanning for unfinished fine-tuning jobs failed, will retry: %s", type(error).__name__)

    async def _sweep(self) -> None:
        for record in await self._ledger.unfinished():
            await self._resume(record)

    async def resume(self, record: dict[str, Any]) -> None:
        """Resume a job, if its lease has expired and this runner was started."""
        if self._sweeper and record["status"] not in ENDED_STATUSES:
            await self._resume(record)

    async def _resume(self, record: dict[str, Any]) -> None:
        if await self._ledger.lease_expired(record["id"], self._lease):
            self.start_job(record["id"])

    async def _run(self, job: str) -> None:
        record = await self._ledger.get(job)
        if record is None or record["status"] in ENDED_STATUSES:
            return
        await self._ledger.renew_lease(job, self._runner_id)
        heartbeat = asyncio.create_task(self._renew_lease_forever(job, asyncio.current_task()))
        try:
            with held_folder("madoguchi-training-") as folder:
                await self._train_in_worker(record, folder)
        finally:
            heartbeat.cancel()
            await self._ledger.release_lease(job)

    async def _train_in_worker(self, record: dict[str, Any], folder: Path) -> None:
        try:
            await self._write_inputs(record, folder)
        except (KeyError, RequestRefused) as error:
            gone = isinstance(error, KeyError) or error.status == 404
            words = "A file or the model that the job starts from is gone." if gone else str(error)
            await self._fail(record, "server_error", words, None)
            return
        except EncoderUnavailable as error:
            words = f"The encoder {error.encoder} gave no vectors of the training texts ({error.trouble}): {error}"
            await self._fail(record, "server_error", words, None)
            return
        async with worker(folder) as process:
            await self._process_reports(record, process, folder)

    async def _renew_lease_forever(self, job: str, task: asyncio.Task[None] | None) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                await self._ledger.renew_lease(job, self._runner_id)
                record = await self._ledger.get(job)
            except Exception as error:  # noqa: BLE001 - the shelf may be unavailable for a while
                _log.warning("Renewing the lease of job %s failed, will retry: %s", job, type(error).__name__)
                continue
            if task and (record is None or record["status"] == "cancelled"):
                task.cancel()

    async def _write_inputs(self, record: dict[str, Any], folder: Path) -> None:
        inputs = {"training.jsonl": await self._files.data(record["training_file"])}
        if record["validation_file"]:
            inputs["validation.jsonl"] = await self._files.data(record["validation_file"])
        await self._models.get(record["model"])
        if parent := await self._models.data(record["model"]):
            inputs["parent.npz"] = parent
        encoder = self._models.encoder
        if encoder and not encoder.in_package:
            inputs["vectors.npz"] = await _vectors(encoder, inputs)
        settings = {
            "encoder": encoder.name if encoder else "",
            "seed": record["seed"],
            **record["method"]["supervised"]["hyperparameters"],
        }
        inputs["job.json"] = json.dumps(settings).encode()
        for name, data in inputs.items():
            await asyncio.to_thread((folder / name).write_bytes, data)

    async def _process_reports(self, record: dict[str, Any], process: Process, folder: Path) -> None:
        """Turn the worker's reports into statuses, events and finally a model."""
        job, folds = record["id"], list[dict[str, Any]]()
        async with contextlib.AsyncExitStack() as stack:
            async for report in read_reports(process):
                if report["kind"] == "invalid":
                    await self._fail(record, report["code"], report["message"], report["param"])
                    return
                if report["kind"] == "valid":
                    record = await self._mark_queued(record, report)
                    await stack.enter_async_context(self._training_slot)
                    record = await self._start_training(record, process)
                elif report["kind"] == "fold":
                    folds.append(report)
                    await self._ledger.add_event(job, _fold_message(report), data=_fold_metrics(report))
                else:
                    await self._finish(record, report, folds, folder)
                    return
        await self._fail(record, "server_error", _WORKER_CRASHED, None)

    async def _mark_queued(self, record: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
        hyper = report["hyperparameters"]
        method = {"type": "supervised", "supervised": {"hyperparameters": hyper}}
        tokens = report["tokens"] * hyper["n_epochs"]
        record = record | {"status": "queued", "hyperparameters": hyper, "method": method, "trained_tokens": tokens}
        await self._ledger.put(record)
        found = f"{report['rows']} examples of {report['labels']} categories, {report['held']} held out"
        words = f"Files validated ({found}), moving job to queued state"
        await self._ledger.add_event(record["id"], words)
        return record

    async def _start_training(self, record: dict[str, Any], process: Process) -> dict[str, Any]:
        record = record | {"status": "running"}
        await self._ledger.put(record)
        await self._ledger.add_event(record["id"], "Fine-tuning job started")
        if process.stdin:
            process.stdin.write(b"go\n")
            await process.stdin.drain()
        return record

    async def _finish(
        self, record: dict[str, Any], report: dict[str, Any], folds: list[dict[str, Any]], folder: Path
    ) -> None:
        job = record["id"]
        name = model_name(record["suffix"], job)
        lines = [
            "step,valid_loss,valid_accuracy",
            *(f"{fold['fold']},{fold['loss']},{fold['accuracy']}" for fold in folds),
        ]
        metrics = await self._files.add(
            "step_metrics.csv", "\n".join(lines).encode(), "fine-tune-results", file_id=f"file-{job[-24:]}"
        )
        answers = await self._files.add(
            "out_of_fold.jsonl",
            await asyncio.to_thread((folder / "out_of_fold.jsonl").read_bytes),
            "fine-tune-results",
            file_id=f"file-oof-{job[-24:]}",
        )
        await self._models.add(name, await asyncio.to_thread((folder / "model.npz").read_bytes))
        await self._ledger.add_checkpoint(job, len(folds) + 1, name, report["metrics"])
        record = record | {
            "status": "succeeded",
            "fine_tuned_model": name,
            "result_files": [metrics["id"], answers["id"]],
        }
        for words, data in _warnings(report):
            await self._ledger.add_event(job, words, level="warn", data=data)
        await self._ledger.add_event(job, f"New fine-tuned model created: {name}", data=report["metrics"])
        await self._ledger.add_event(job, "The job has successfully completed")
        if not await self._ledger.finish(record):
            await self._models.delete(name)

    async def _fail(self, record: dict[str, Any], code: str, message: str, param: str | None) -> None:
        error = {"code": code, "message": message, "param": param}
        await self._ledger.add_event(record["id"], message, level="error")
        await self._ledger.finish(record | {"status": "failed", "error": error})


@contextlib.asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[Process]:
    """Start a worker on a folder and stop it on exit.

    The worker has always ended when the context exits, even if the caller is cancelled while it ends.
    """
    start = asyncio.create_subprocess_exec(*WORKER, str(folder), stdin=PIPE, stdout=PIPE, cwd=_ROOT)
    spawn = asyncio.create_task(start)
    try:
        yield await asyncio.shield(spawn)
    finally:
        cleanup = asyncio.create_task(_stop_worker(spawn))
        # Finish the clean-up even when cancelled: otherwise the process and its pipes leak.
        while not cleanup.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(cleanup)


async def _stop_worker(spawn: asyncio.Task[Process]) -> None:
    process = await spawn
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.communicate()


async def read_reports(process: Process) -> AsyncIterator[dict[str, Any]]:
    """Yield the worker's reports until the worker ends."""
    while process.stdout and (line := await process.stdout.readline()):
        yield json.loads(line)


async def _vectors(encoder: Encoder, inputs: dict[str, bytes]) -> bytes:
    """Return a file with the vectors of all texts of a job; a file that is not valid has none."""
    texts = await asyncio.to_thread(texts_of_job, inputs, encoder)
    await encoder.prepare(texts)
    vectors = await asyncio.to_thread(encoder.encode, texts)
    out = io.BytesIO()
    names = np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), dtype=np.uint8)
    np.savez(out, allow_pickle=False, vectors=vectors, texts=names)
    return out.getvalue()


def texts_of_job(inputs: dict[str, bytes], encoder: Encoder) -> list[str]:
    """Return the texts that a job's training encodes: its questions, answered or not, and its prompt's texts."""
    from bot.embedded.linear import documents_of
    from bot.embedded.trained import TrainedModel, from_bytes
    from bot.embedded.training_set import (  # these imports are slow, and most jobs do without them
        TrainingTask,
        labels_of,
    )

    try:
        examples, validation = (
            examples_of(inputs[name]) if name in inputs else [] for name in ("training.jsonl", "validation.jsonl")
        )
    except InvalidFileError:
        return []
    prompt, rows = most_common_system(examples), labelled_rows(examples)
    parent = from_bytes(inputs["parent.npz"], encoder) if "parent.npz" in inputs else TrainedModel()
    labels = labels_of(TrainingTask(rows, prompt, parent))
    texts = [text for text, _ in [*rows, *labelled_rows(validation), *documents_of(prompt, labels)]]
    return list(dict.fromkeys([*texts, *open_questions(examples)]))


def _warnings(report: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return what people should know of the new model, as messages of the job with their data."""
    found: list[tuple[str, dict[str, Any]]] = []
    if report["trust"] < 1:
        words = "On rows not learned from, the new model is worse than the prompt, so it counts less beside it"
        found.append((words, {"trust": report["trust"]}))
    if wrong := report["still_wrong"]:
        words = f"{len(wrong)} examples are still answered wrongly after training on them"
        found.append((words, {"still_wrong": wrong[:_WRONG_NAMED]}))
    return found


def _fold_message(report: dict[str, Any]) -> str:
    scores = f"loss={report['loss']:.3f}, accuracy={report['accuracy']:.3f}"
    return f"Fold {report['fold']}/{report['folds']} ({report['percent']}%): on rows not learned from {scores}"


def _fold_metrics(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "step": report["fold"],
        "total_steps": report["folds"] + 1,
        "percent": report["percent"],
        "valid_loss": report["loss"],
        "valid_mean_token_accuracy": report["accuracy"],
    }
