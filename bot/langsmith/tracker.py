"""The tracker port over LangSmith."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from requests.adapters import HTTPAdapter

from bot.domain.correction import CorrectionKind
from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.forgetting import Traced
from bot.domain.mirror import Annotation, Edits, Experiment, ExperimentRow, Feedback, RowCopy, Trace
from bot.langsmith.connection import REQUEST_SECONDS, CallArgs, Connection, Returned
from bot.langsmith.dataset_copy import DatasetCopy
from bot.langsmith.erasure import TraceErasure
from bot.langsmith.shapes import FEEDBACK_KEY, annotation_of, experiment_metadata, run_of, stable_id
from bot.langsmith.wire import AlreadyExists, NotFound, tracker_error

DEFAULT_ENDPOINT = "https://api.smith.langchain.com"
RUNS_PER_REQUEST = 100
"""Most runs of one request."""
ANNOTATION_LOOKBACK = timedelta(days=7)
"""How long after its creation a change to an annotation is still seen: LangSmith filters by creation time only."""


class LangSmithTracker:
    """`ports.Tracker` over LangSmith's own client; the port describes the methods. Close it with `aclose`.

    Args:
        key: The API key.
        project: The name of both the project for traces and the dataset.
        endpoint: The API's address; None means LangSmith's own.
        workspace: The workspace's id, for keys that are valid in several workspaces.
        seconds: Deadline of one request.
        adapter: Replaces the HTTP adapter, as to trust other certificate authorities.
    """

    def __init__(
        self,
        key: str,
        project: str,
        *,
        endpoint: str | None = None,
        workspace: str | None = None,
        seconds: float = REQUEST_SECONDS,
        adapter: HTTPAdapter | None = None,
    ) -> None:
        self._connection = Connection(endpoint or DEFAULT_ENDPOINT, key, workspace, seconds=seconds, adapter=adapter)
        self._copies = DatasetCopy(self._connection)
        self._erasure = TraceErasure(self._connection)
        self._project = project
        self._ids: dict[str, uuid.UUID] = {}

    async def aclose(self) -> None:
        """Cancel the requests under way and close the connection."""
        await self._connection.aclose()

    async def check(self) -> None:
        def ask() -> None:
            next(self._connection.client.list_projects(limit=1), None)

        await self._connection.run(ask)

    # --- traces and feedback ---

    async def trace(self, traces: Sequence[Trace]) -> None:
        runs = [run_of(trace, session_name=self._project) for trace in traces]
        await self._connection.run(self._ingest, runs)

    async def say(self, feedback: Feedback) -> None:
        try:
            await self._connection.run(self._show_feedback, feedback)
        except NotFound as error:
            self._ids.clear()  # the project may have been replaced
            raise TrackerRefused(TrackerReason.UNKNOWN_TRACE, str(error)) from None

    async def annotations(self, since: datetime | None) -> list[Annotation]:
        return await self._connection.run(self._annotations, since)

    # --- rows ---

    async def dataset(self) -> str:
        return await self._connection.run(self._copies.open, self._project)

    async def put_rows(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        await self._run_with_project(self._copies.put, dataset, rows)

    async def withdraw_rows(self, dataset: str, row_ids: Sequence[str], *, erase: bool = False) -> None:
        await self._run_with_project(self._copies.withdraw, dataset, row_ids, erase=erase)

    async def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        await self._run_with_project(self._copies.freeze, dataset, tag, row_ids)

    async def edits(self, dataset: str, since: datetime | None) -> Edits:
        return await self._run_with_project(self._copies.edits, dataset, since)

    async def _run_with_project(
        self, call: Callable[CallArgs, Returned], *args: CallArgs.args, **kwargs: CallArgs.kwargs
    ) -> Returned:
        """Create the project before the call: without one, the SDK looks for it with every example that it reads."""

        def with_project() -> Returned:
            self._session_id(self._project)
            return call(*args, **kwargs)

        return await self._connection.run(with_project)

    async def forget(self, dataset: str | None, traced: Traced) -> None:
        await self._connection.run(self._forget, dataset, traced)

    async def remembers(self, dataset: str | None, traced: Traced) -> bool:
        return await self._connection.run(self._remembers, dataset, traced)

    # --- experiments ---

    async def experiment(self, experiment: Experiment, tried: Sequence[ExperimentRow]) -> None:
        run = self._connection.run
        session = await run(self._open_experiment, experiment)
        examples = await run(self._copies.example_ids, experiment.dataset, [one.row_id for one in tried])
        shown = [one for one in tried if one.row_id in examples]
        project = {"session_name": experiment.name}
        runs = [run_of(one.trace, **project, reference_example_id=str(examples[one.row_id])) for one in shown]
        await run(self._ingest, runs)
        outcomes = await asyncio.gather(*(run(self._score, one, session) for one in shown), return_exceptions=True)
        for error in (one for one in outcomes if one is not None):
            if isinstance(error, NotFound):
                self._ids.clear()
                raise TrackerDown("a run cannot be found yet") from None
            raise error

    async def conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        await self._connection.run(self._conclude, experiment, figures)

    # --- blocking, for `Connection.run` ---

    def _forget(self, dataset: str | None, traced: Traced) -> None:
        self._erasure.erase(traced, self._copies.possible_ids(dataset, traced.rows) if dataset else [])
        if dataset:
            self._copies.withdraw(dataset, traced.rows, erase=True)

    def _remembers(self, dataset: str | None, traced: Traced) -> bool:
        examples = self._copies.possible_ids(dataset, traced.rows) if dataset else []
        left = self._copies.example_ids(dataset, traced.rows) if dataset else {}
        return bool(left or self._erasure.found(traced, examples))

    def _ingest(self, runs: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(runs), RUNS_PER_REQUEST):
            batch = runs[start : start + RUNS_PER_REQUEST]
            if not self._connection.ingest(batch) and len(batch) > 1:
                for run in batch:
                    self._connection.ingest([run])

    def _show_feedback(self, feedback: Feedback) -> None:
        score = {CorrectionKind.AGREE: 1, CorrectionKind.CHANGE: 0}.get(feedback.kind)
        changed = feedback.kind is CorrectionKind.CHANGE
        self._create_feedback(
            feedback.id,
            run_id=feedback.trace_id,
            trace_id=feedback.trace_id,
            session_id=self._session_id(self._project),
            key="undone" if feedback.kind is CorrectionKind.UNDO else FEEDBACK_KEY,
            score=score,
            value=feedback.category,
            correction={"category": feedback.category} if changed else None,
            source_info={"by": feedback.by, "kind": feedback.kind.value, "at": feedback.at.isoformat()},
        )
        if feedback.replaces:
            try:
                self._connection.client.delete_feedback(feedback.replaces)
            except Exception as error:
                if not isinstance(tracker_error(error), NotFound):
                    raise

    def _create_feedback(self, feedback_id: uuid.UUID, **content: Any) -> None:
        """Create feedback; existing feedback with this id stays as it is."""
        try:
            self._connection.client.create_feedback(feedback_id=feedback_id, stop_after_attempt=1, **content)
        except Exception as error:
            if not isinstance(tracker_error(error), AlreadyExists):
                raise

    def _annotations(self, since: datetime | None) -> list[Annotation]:
        query: dict[str, Any] = {"session": [str(self._session_id(self._project))], "source": ["app"]}
        if since:
            query["min_created_at"] = (since - ANNOTATION_LOOKBACK).isoformat()
        found = self._connection.client.list_feedback(**query)
        annotations = [annotation for feedback in found if (annotation := annotation_of(feedback))]
        return sorted((one for one in annotations if since is None or one.at >= since), key=lambda one: one.at)

    def _session_id(self, name: str, experiment: Experiment | None = None) -> uuid.UUID:
        """Return the id of a project, creating it if there is none. An experiment is a project with a dataset."""
        if name not in self._ids:
            client = self._connection.client
            fields: dict[str, Any] = {"upsert": True}
            if experiment:
                fields["reference_dataset_id"] = experiment.dataset
                fields |= {"num_examples": experiment.rows, "metadata": self._metadata(experiment)}
            self._ids[name] = client.create_project(name, **fields).id
        return self._ids[name]

    def _open_experiment(self, experiment: Experiment) -> uuid.UUID:
        with self._copies.translate_missing(experiment.dataset):
            return self._session_id(experiment.name, experiment)

    def _metadata(self, experiment: Experiment) -> dict[str, Any]:
        tag = experiment.version
        return experiment_metadata(experiment, self._copies.version(experiment.dataset, tag) if tag else None)

    def _score(self, one: ExperimentRow, session: uuid.UUID) -> None:
        trace_id = one.trace.id
        target = {"run_id": trace_id, "trace_id": trace_id, "session_id": session}
        self._create_feedback(stable_id(trace_id, "correct"), key="correct", score=int(one.right), **target)

    def _conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        session = self._open_experiment(experiment)
        for name, figure in figures.items():
            self._create_feedback(stable_id(session, name), key=name, score=figure, project_id=session)
        self._connection.client.update_project(session, metadata=self._metadata(experiment) | dict(figures))
