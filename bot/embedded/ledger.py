"""What is written down of fine-tuning jobs: records, events, checkpoints, leases, cancellations."""

import json
from collections.abc import Callable
from typing import Any

from bot.embedded.shelf import ArtifactShelf

ENDED_STATUSES = frozenset({"succeeded", "failed", "cancelled"})


class Ledger:
    """Reads and writes jobs on the shelf.

    A cancellation is a mark of its own beside the record, so that a process that writes progress can't write over it.
    Events are numbered per job: a job that is taken up again writes the same ones in place.
    """

    def __init__(self, shelf: ArtifactShelf, clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._clock = clock

    async def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(await self._shelf.get(name))
        except (KeyError, ValueError):
            return None
        return found

    async def _write(self, name: str, value: dict[str, Any]) -> None:
        await self._shelf.put(name, json.dumps(value, ensure_ascii=False).encode())

    async def put(self, record: dict[str, Any]) -> None:
        """Write a job's record."""
        await self._write(f"jobs/{record['id']}.json", record)

    async def get(self, job: str) -> dict[str, Any] | None:
        """Return a job's record, None if there is none."""
        record = await self._read(f"jobs/{job}.json")
        if record and record["status"] not in ENDED_STATUSES and (mark := await self._read(f"cancelled/{job}.json")):
            record |= {"status": "cancelled", "finished_at": mark["at"], "estimated_finish": None}
        return record

    async def all(self) -> list[dict[str, Any]]:
        """Return every job, the newest first."""
        names = await self._shelf.names("jobs/")
        found = [record for name in names if (record := await self.get(name[len("jobs/") : -len(".json")]))]
        return sorted(found, key=lambda record: (record["created_at"], record["id"]), reverse=True)

    async def cancel(self, job: str) -> None:
        """Mark a job as cancelled, for whichever process runs it."""
        await self._write(f"cancelled/{job}.json", {"at": int(self._clock())})

    async def renew(self, job: str, runner: str) -> None:
        """Note that this runner is alive and at work on the job."""
        await self._write(f"leases/{job}.json", {"runner": runner, "at": self._clock()})

    async def release(self, job: str) -> None:
        """Give the lease back: another process may go on at once."""
        await self._shelf.delete(f"leases/{job}.json")

    async def end(self, record: dict[str, Any]) -> bool:
        """Write a job's last record, unless it was cancelled before; tells whether it was written."""
        current = await self.get(record["id"])
        if current is None or current["status"] in ENDED_STATUSES:
            return False
        await self.put(record | {"finished_at": int(self._clock()), "estimated_finish": None})
        return True

    async def released(self, job: str, after: float) -> bool:
        """Tell whether nobody has renewed the job's lease for so many seconds."""
        lease = await self._read(f"leases/{job}.json")
        return lease is None or self._clock() - lease["at"] >= after

    async def tell(self, job: str, message: str, *, level: str = "info", data: dict[str, Any] | None = None) -> None:
        """Write the job's next event; one that says the same as an earlier one of this job is written once."""
        earlier = await self.events(job)
        if any(event["message"] == message for event in earlier):
            return
        number = len(earlier)
        event = {
            "id": f"ftevent-{job.removeprefix('ftjob-')}-{number:04d}",
            "object": "fine_tuning.job.event",
            "created_at": int(self._clock()),
            "level": level,
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or {},
        }
        await self._write(f"events/{job}/{number:04d}.json", event)

    async def events(self, job: str) -> list[dict[str, Any]]:
        """Return a job's events, the newest first."""
        names = await self._shelf.names(f"events/{job}/")
        return [event for name in reversed(names) if (event := await self._read(name))]

    async def add_checkpoint(self, job: str, step: int, model: str, metrics: dict[str, float]) -> None:
        """Write down the model that a job ended with."""
        checkpoint = {
            "id": f"ftckpt-{job.removeprefix('ftjob-')}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(self._clock()),
            "fine_tuned_model_checkpoint": model,
            "fine_tuning_job_id": job,
            "metrics": {"step": step, **metrics},
            "step_number": step,
        }
        await self._write(f"checkpoints/{job}.json", checkpoint)

    async def checkpoints(self, job: str) -> list[dict[str, Any]]:
        """Return a job's checkpoints: one, once it has succeeded."""
        found = await self._read(f"checkpoints/{job}.json")
        return [found] if found else []
