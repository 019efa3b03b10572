"""Storage of fine-tuning jobs: records, events, checkpoints, leases and cancellations."""

import json
from collections.abc import Callable
from typing import Any

from bot.embedded.shelf import ArtifactShelf

ENDED_STATUSES = frozenset({"succeeded", "failed", "cancelled"})


class Ledger:
    """Fine-tuning jobs on the shelf.

    A cancellation is stored apart from the record, so that a process that writes progress can't overwrite it.
    Each event message is stored once per job, so that a resumed job does not repeat its events.
    """

    def __init__(self, shelf: ArtifactShelf, clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._clock = clock
        self._ended: set[str] = set()

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
        """Return a job's record, or None; a cancellation overrides the status of an unfinished job."""
        record = await self._read(f"jobs/{job}.json")
        if record and record["status"] not in ENDED_STATUSES and (mark := await self._read(f"cancelled/{job}.json")):
            record |= {"status": "cancelled", "finished_at": mark["at"], "estimated_finish": None}
        return record

    async def all(self) -> list[dict[str, Any]]:
        """Return all jobs, the newest first."""
        names = await self._shelf.names("jobs/")
        found = [record for name in names if (record := await self.get(name[len("jobs/") : -len(".json")]))]
        return sorted(found, key=lambda record: (record["created_at"], record["id"]), reverse=True)

    async def unfinished(self) -> list[dict[str, Any]]:
        """Return the jobs that have not ended. A record that was read as ended is never read again."""
        names = [name for name in await self._shelf.names("jobs/") if name not in self._ended]
        records = {name: await self.get(name[len("jobs/") : -len(".json")]) for name in names}
        self._ended |= {name for name, record in records.items() if record and record["status"] in ENDED_STATUSES}
        return [record for name, record in records.items() if record and name not in self._ended]

    async def cancel(self, job: str) -> None:
        """Mark a job as cancelled; the process that runs the job sees the mark."""
        await self._write(f"cancelled/{job}.json", {"at": int(self._clock())})

    async def renew_lease(self, job: str, runner_id: str) -> None:
        """Record that the runner is alive and works on the job."""
        await self._write(f"leases/{job}.json", {"runner": runner_id, "at": self._clock()})

    async def release_lease(self, job: str) -> None:
        """Delete the job's lease, so that another process may resume the job at once."""
        await self._shelf.delete(f"leases/{job}.json")

    async def finish(self, record: dict[str, Any]) -> bool:
        """Write a job's final record unless the job has already ended, and return whether it was written."""
        current = await self.get(record["id"])
        if current is None or current["status"] in ENDED_STATUSES:
            return False
        await self.put(record | {"finished_at": int(self._clock()), "estimated_finish": None})
        return True

    async def lease_expired(self, job: str, seconds: float) -> bool:
        """Return whether the job has no lease or its lease was not renewed for `seconds`."""
        lease = await self._read(f"leases/{job}.json")
        return lease is None or self._clock() - lease["at"] >= seconds

    async def add_event(
        self, job: str, message: str, *, level: str = "info", data: dict[str, Any] | None = None
    ) -> None:
        """Add an event to the job, unless an earlier event of the job has the same message."""
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
        """Return the job's events, the newest first."""
        names = await self._shelf.names(f"events/{job}/")
        return [event for name in reversed(names) if (event := await self._read(name))]

    async def add_checkpoint(self, job: str, step: int, model: str, metrics: dict[str, float]) -> None:
        """Record the model that the job produced as its only checkpoint."""
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
        """Return the job's checkpoints: one after success, none before."""
        found = await self._read(f"checkpoints/{job}.json")
        return [found] if found else []
