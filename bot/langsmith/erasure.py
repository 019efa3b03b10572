"""The erasure of traces at LangSmith: its SDK has no call for it."""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bot.domain.forgetting import Traced
from bot.langsmith.connection import Connection
from bot.langsmith.wire import NotFound, translate_errors

IDS_PER_REQUEST = 100
"""Most ids of one query, which is LangSmith's page size."""
TRACES_PER_REQUEST = 1_000
"""Most traces of one deletion (docs.langchain.com/langsmith/data-purging-compliance)."""
_FIELDS = ("id", "trace_id", "session_id")


class TraceErasure:
    """Blocking operations on traces, for `Connection.run`, which translates the SDK's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def erase(self, traced: Traced, examples: Sequence[uuid.UUID]) -> None:
        """Delete feedback, and queue the deletion of traces: those of answers, and of evaluations on these examples."""
        for feedback in traced.feedback:
            with suppress(NotFound), translate_errors():
                self._connection.client.delete_feedback(feedback)
        by_project: defaultdict[str, list[str]] = defaultdict(list)
        for run in self.found(traced, examples):
            by_project[str(run["session_id"])].append(str(run.get("trace_id") or run["id"]))
        for project, traces in by_project.items():
            for start in range(0, len(traces), TRACES_PER_REQUEST):
                page = sorted({*traces[start : start + TRACES_PER_REQUEST]})
                self._post("/runs/delete", {"session_id": project, "trace_ids": page})

    def found(self, traced: Traced, examples: Sequence[uuid.UUID]) -> list[Mapping[str, Any]]:
        """Return the traces that are still there."""
        traces = [str(uuid.UUID(one)) for one in traced.traces]
        runs: dict[str, Mapping[str, Any]] = {}
        for field, ids in (("id", traces), ("reference_example", [str(one) for one in examples])):
            for start in range(0, len(ids), IDS_PER_REQUEST):
                for run in self._query({field: ids[start : start + IDS_PER_REQUEST]}):
                    runs[str(run["id"])] = run
        return list(runs.values())

    def _query(self, what: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        body: dict[str, Any] = {**what, "select": list(_FIELDS), "limit": IDS_PER_REQUEST}
        while True:
            answer = self._post("/runs/query", body).json()
            yield from answer["runs"]
            after = (answer.get("cursors") or {}).get("next")
            if not after:
                return
            body["cursor"] = after

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._connection.client.request_with_retries("POST", path, request_kwargs={"json": body})
