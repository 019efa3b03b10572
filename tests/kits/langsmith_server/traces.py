"""Sessions (projects and experiments), their runs, the runs' feedback, and annotation queues."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.kits.langsmith_server.datasets import Conflict, Invalid, Missing


class Traces:
    """All sessions, runs, feedback and queues. A second run or feedback with the same id is a conflict."""

    def __init__(self, now: Callable[[], datetime], tenant: str) -> None:
        self._now = now
        self._tenant = tenant
        self.sessions: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self._received: set[str] = set()
        self.feedback: dict[str, dict[str, Any]] = {}
        self.queues: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.comparisons: list[dict[str, Any]] = []
        self.busy = False
        """Whether deletions wait, as they do at LangSmith until the weekend."""

    # --- sessions ---

    def session(self, name: str) -> dict[str, Any] | None:
        return next((one for one in self.sessions.values() if one["name"] == name), None)

    def open(self, about: Mapping[str, Any], *, upsert: bool = False) -> dict[str, Any]:
        known = self.session(about["name"])
        if known and not upsert:
            raise Conflict("Session already exists.")
        if known:
            return known
        made = {
            "id": str(about.get("id") or uuid.uuid4()),
            "name": about["name"],
            "start_time": self._now().isoformat(),
            "end_time": None,
            "description": about.get("description"),
            "extra": about.get("extra"),
            "tenant_id": self._tenant,
            "reference_dataset_id": about.get("reference_dataset_id"),
        }
        self.sessions[made["id"]] = made
        return made

    def get_session(self, session_id: str) -> dict[str, Any]:
        if session_id not in self.sessions:
            raise Missing("Session not found")
        return self.sessions[session_id]

    # --- runs ---

    def ingest(self, posts: Mapping[str, dict[str, Any]], patches: Mapping[str, dict[str, Any]]) -> None:
        """Store new runs and patches, all or none. The patch that ends a run may arrive before the run."""
        if self._received & posts.keys():
            raise Conflict("Conflict: payload already received: payloads already received")
        for run in posts.values():
            if not run.get("trace_id") or not run.get("dotted_order"):
                raise Invalid("trace_id and dotted_order are required")
        for run_id, run in posts.items():
            name = run.get("session_name")
            session = (
                self.get_session(run["session_id"]) if run.get("session_id") else self.open({"name": name}, upsert=True)
            )
            self._received.add(run_id)
            self.runs[run_id] = {
                **run,
                **self.runs.get(run_id, {}),
                "session_id": session["id"],
                "session_name": session["name"],
            }
        for run_id, patch in patches.items():
            self.runs.setdefault(run_id, {}).update({k: v for k, v in patch.items() if v is not None})

    def of_session(self, name: str) -> list[dict[str, Any]]:
        return [run for run in self.runs.values() if run["session_name"] == name]

    def delete(self, session_id: str, trace_ids: list[str]) -> None:
        """Delete traces of a session, and their feedback. Their ids stay taken."""
        gone = [
            run_id
            for run_id, run in self.runs.items()
            if run["session_id"] == session_id and (run.get("trace_id") or run_id) in trace_ids
        ]
        for run_id in gone:
            del self.runs[run_id]
        for feedback_id in [one["id"] for one in self.feedback.values() if one["run_id"] in gone]:
            del self.feedback[feedback_id]

    # --- feedback ---

    def say(self, said: Mapping[str, Any], *, early: bool = False) -> dict[str, Any]:
        """Store feedback; with `early` its run may arrive later."""
        feedback_id = str(said.get("id") or uuid.uuid4())
        if feedback_id in self.feedback:
            raise Conflict("Feedback already exists.")
        run_id = said.get("run_id")
        if run_id is None and said.get("session_id") is None:
            raise Invalid("run_id or session_id is required")
        if run_id is not None and run_id not in self.runs and not early:
            raise Missing("Run not found")
        blank = dict.fromkeys(("run_id", "trace_id", "session_id", "score", "value", "comment", "correction"))
        at = self._now().isoformat()
        kept = blank | {"created_at": at, "modified_at": at} | dict(said) | {"id": feedback_id}
        self.feedback[feedback_id] = kept
        return kept

    def get_feedback(self, feedback_id: str) -> dict[str, Any]:
        if feedback_id not in self.feedback:
            raise Missing("Feedback not found")
        return self.feedback[feedback_id]

    # --- annotation queues ---

    def create_queue(self, about: Mapping[str, Any]) -> dict[str, Any]:
        at = self._now().isoformat()
        made = {"description": None, "rubric_instructions": None} | dict(about)
        made |= {"id": str(about.get("id") or uuid.uuid4()), "created_at": at, "updated_at": at}
        made |= {"tenant_id": self._tenant}
        self.queues[made["id"]] = made
        return made

    def get_queue(self, queue_id: str) -> dict[str, Any]:
        if queue_id not in self.queues:
            raise Missing("Queue not found")
        return self.queues[queue_id]

    def enqueue(self, queue_id: str, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add runs to a queue, each once, and return their items."""
        self.get_queue(queue_id)
        made = []
        for item in given:
            if item["item_type"] == "RUN" and item["run_id"] not in self.runs:
                raise Missing("Run not found")
            known = [
                one for one in self.items.values() if (one["queue_id"], one.get("run_id")) == (queue_id, item["run_id"])
            ]
            new = {"id": str(uuid.uuid4()), "queue_id": queue_id, "status": "needs_my_review", **item}
            new |= {"added_at": self._now().isoformat(), "last_reviewed_time": None}
            kept = known[0] if known else new
            self.items[kept["id"]] = kept
            made.append(kept)
        return made
