"""Runs fine-tuning jobs in worker processes, and takes up again what a dead process left behind."""

import asyncio
import contextlib
import json
import logging
import secrets
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bot.embedded.errors import RequestRefused
from bot.embedded.files import Files
from bot.embedded.ledger import ENDED_STATUSES, Ledger
from bot.embedded.models import Models, name_of

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_WORDS_OF_FAILURE = "The job failed because its worker process ended without a result. You can start it again."


class Runner:
    """Runs each job that it takes, one training at a time; every step is on the shelf before the next begins.

    A job's last state is written last: who sees it sees all events, and finds the model.

    Args:
        ledger: Where jobs are written down.
        files: Where training files come from and result files go.
        models: Where trained models go.
        lease: Seconds without a sign of life after which another process may take up a job. Taking one up twice does no
            harm: the same job gives the same model under the same name.
    """

    def __init__(self, ledger: Ledger, files: Files, models: Models, lease: float) -> None:
        self._ledger = ledger
        self._files = files
        self._models = models
        self._lease = lease
        self._name = secrets.token_hex(8)
        self._slot = asyncio.Semaphore(1)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look for unfinished jobs that nobody works on, now and then from time to time."""
        await self._sweep()
        self._sweeper = asyncio.create_task(self._sweeping())

    async def stop(self) -> None:
        """End all workers. Their jobs stay unfinished and are taken up again by the next start."""
        tasks = [*self._tasks.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._sweeper = None

    def take(self, job: str) -> None:
        """Begin to run a job, unless it already runs here."""
        if job not in self._tasks:
            self._tasks[job] = task = asyncio.create_task(self._run(job))
            task.add_done_callback(lambda done: self._ended(job, done))

    def _ended(self, job: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job, None)
        if not task.cancelled() and (fault := task.exception()):
            _log.error("The fine-tuning job %s broke off and will be taken up again", job, exc_info=fault)

    async def cancel(self, job: str) -> None:
        """Cancel a job wherever it runs; here its worker has ended when this returns."""
        await self._ledger.cancel(job)
        if task := self._tasks.get(job):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._ledger.tell(job, "The job has been cancelled")

    async def _sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                await self._sweep()
            except Exception as fault:  # noqa: BLE001 - the shelf may be away for a while
                _log.warning("Unfinished fine-tuning jobs can't be looked for now: %s", type(fault).__name__)

    async def _sweep(self) -> None:
        for record in await self._ledger.all():
            if record["status"] not in ENDED_STATUSES and await self._ledger.released(record["id"], self._lease):
                self.take(record["id"])

    async def _run(self, job: str) -> None:
        record = await self._ledger.get(job)
        if record is None or record["status"] in ENDED_STATUSES:
            return
        await self._ledger.renew(job, self._name)
        beating = asyncio.create_task(self._beat(job, asyncio.current_task()))
        try:
            with tempfile.TemporaryDirectory(prefix="fine-tune-") as folder:
                await self._work(record, Path(folder))
        finally:
            beating.cancel()
            await self._ledger.release(job)

    async def _work(self, record: dict[str, Any], folder: Path) -> None:
        try:
            await self._lay_out(record, folder)
        except (KeyError, RequestRefused):
            await self._fail(record, "server_error", "A file or the model that the job starts from is gone.", None)
            return
        async with worker(folder) as process:
            await self._follow(record, process, folder)

    async def _beat(self, job: str, work: asyncio.Task[None] | None) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            try:
                await self._ledger.renew(job, self._name)
                record = await self._ledger.get(job)
            except Exception as fault:  # noqa: BLE001 - the shelf may be away for a while
                _log.warning("The lease of job %s can't be renewed now: %s", job, type(fault).__name__)
                continue
            if work and (record is None or record["status"] == "cancelled"):
                work.cancel()

    async def _lay_out(self, record: dict[str, Any], folder: Path) -> None:
        parts = {"training.jsonl": await self._files.data(record["training_file"])}
        if record["validation_file"]:
            parts["validation.jsonl"] = await self._files.data(record["validation_file"])
        if parent := await self._models.data(record["model"]):
            parts["parent.npz"] = parent
        order = {
            "encoder": self._models.encoder,
            "seed": record["seed"],
            **record["method"]["supervised"]["hyperparameters"],
        }
        parts["job.json"] = json.dumps(order).encode()
        for name, data in parts.items():
            await asyncio.to_thread((folder / name).write_bytes, data)

    async def _follow(self, record: dict[str, Any], process: Process, folder: Path) -> None:
        """Turn what the worker reports into states, events and at last a model."""
        job, scores = record["id"], list[dict[str, Any]]()
        async with contextlib.AsyncExitStack() as holding:
            async for step in reports(process):
                if step["kind"] == "invalid":
                    await self._fail(record, step["code"], step["message"], step["param"])
                    return
                if step["kind"] == "valid":
                    record = await self._queue(record, step)
                    await holding.enter_async_context(self._slot)
                    record = await self._go(record, process)
                elif step["kind"] == "fold":
                    scores.append(step)
                    await self._ledger.tell(job, _words(step), data=_metrics(step))
                else:
                    await self._succeed(
                        record, step, scores, await asyncio.to_thread((folder / "model.npz").read_bytes)
                    )
                    return
        await self._fail(record, "server_error", _WORDS_OF_FAILURE, None)

    async def _queue(self, record: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
        hyper = step["hyperparameters"]
        method = {"type": "supervised", "supervised": {"hyperparameters": hyper}}
        tokens = step["tokens"] * hyper["n_epochs"]
        record = record | {"status": "queued", "hyperparameters": hyper, "method": method, "trained_tokens": tokens}
        await self._ledger.put(record)
        found = f"{step['rows']} examples of {step['labels']} categories, {step['held']} held out"
        words = f"Files validated ({found}), moving job to queued state"
        await self._ledger.tell(record["id"], words)
        return record

    async def _go(self, record: dict[str, Any], process: Process) -> dict[str, Any]:
        record = record | {"status": "running"}
        await self._ledger.put(record)
        await self._ledger.tell(record["id"], "Fine-tuning job started")
        if process.stdin:
            process.stdin.write(b"go\n")
            await process.stdin.drain()
        return record

    async def _succeed(
        self, record: dict[str, Any], step: dict[str, Any], scores: list[dict[str, Any]], model: bytes
    ) -> None:
        job = record["id"]
        name = name_of(record["suffix"], job)
        lines = [
            "step,valid_loss,valid_accuracy",
            *(f"{one['fold']},{one['loss']},{one['accuracy']}" for one in scores),
        ]
        results = await self._files.add(
            "step_metrics.csv", "\n".join(lines).encode(), "fine-tune-results", named=f"file-{job[-24:]}"
        )
        await self._models.add(name, model)
        await self._ledger.add_checkpoint(job, len(scores) + 1, name, step["metrics"])
        record = record | {"status": "succeeded", "fine_tuned_model": name, "result_files": [results["id"]]}
        await self._ledger.tell(job, f"New fine-tuned model created: {name}", data=step["metrics"])
        await self._ledger.tell(job, "The job has successfully completed")
        if not await self._ledger.end(record):
            await self._models.delete(name)

    async def _fail(self, record: dict[str, Any], code: str, message: str, param: str | None) -> None:
        error = {"code": code, "message": message, "param": param}
        await self._ledger.tell(record["id"], message, level="error")
        await self._ledger.end(record | {"status": "failed", "error": error})


@contextlib.asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[Process]:
    """Start a worker on a folder; it has ended when the context is left, whoever is cancelled while it ends."""
    order = (sys.executable, "-m", "bot.embedded.train", str(folder))
    starting = asyncio.create_task(asyncio.create_subprocess_exec(*order, stdin=PIPE, stdout=PIPE, cwd=_ROOT))
    try:
        yield await asyncio.shield(starting)
    finally:
        ending = asyncio.create_task(_end(starting))
        # Who is cancelled now has nothing left to break off; who left it half-ended would leave process and pipes.
        while not ending.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(ending)


async def _end(starting: asyncio.Task[Process]) -> None:
    process = await starting
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.communicate()


async def reports(process: Process) -> AsyncIterator[dict[str, Any]]:
    """Yield what the worker reports until it ends."""
    while process.stdout and (line := await process.stdout.readline()):
        yield json.loads(line)


def _words(step: dict[str, Any]) -> str:
    seen = f"loss={step['loss']:.3f}, accuracy={step['accuracy']:.3f}"
    return f"Fold {step['fold']}/{step['folds']} ({step['percent']}%): on rows not learned from {seen}"


def _metrics(step: dict[str, Any]) -> dict[str, Any]:
    return {
        "step": step["fold"],
        "total_steps": step["folds"] + 1,
        "percent": step["percent"],
        "valid_loss": step["loss"],
        "valid_mean_token_accuracy": step["accuracy"],
    }
