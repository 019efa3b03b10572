"""LangSmith as a tracker."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.domain.correction import CorrectionKind
from bot.domain.errors import TrackerDown, TrackerReason, TrackerRefused
from bot.domain.mirror import Annotation, Edits, Experiment, ExperimentRow, Feedback, RowCopy, Trace
from bot.langsmith.connection import REQUEST_SECONDS, CallArgs, Connection, Returned
from bot.langsmith.dataset_copy import DatasetCopy
from bot.langsmith.shapes import FEEDBACK_KEY, annotation_of, experiment_about, named, run_of
from bot.langsmith.wire import NotThere, TakenBefore, ours

OFFICIAL = "https://api.smith.langchain.com"
RUNS_PER_REQUEST = 100
"""Runs of one request."""
SAID_AGAIN = timedelta(days=7)
"""So long after it was said first, a changed word of a person is still seen: LangSmith lists by the first time only."""


class LangSmithTracker:
    """`ports.Tracker` over LangSmith's own client. Close it with `aclose`.

    Args:
        key: the API key.
        project: the name of the project for traces, and of the dataset.
        endpoint: where its API is; None means LangSmith's own.
        workspace: the id of the workspace, for keys that are not of one.
        seconds: that one request may take.
    """

    def __init__(
        self,
        key: str,
        project: str,
        *,
        endpoint: str | None = None,
        workspace: str | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._connection = Connection(endpoint or OFFICIAL, key, workspace, seconds=seconds)
        self._copies = DatasetCopy(self._connection)
        self._project = project
        self._ids: dict[str, uuid.UUID] = {}

    async def aclose(self) -> None:
        """End what is under way, at once."""
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
            await self._connection.run(self._say, feedback)
        except NotThere as error:
            self._ids.clear()  # or the project is another one by now
            raise TrackerRefused(TrackerReason.UNKNOWN_TRACE, str(error)) from None

    async def annotations(self, since: datetime | None) -> list[Annotation]:
        return await self._connection.run(self._annotations, since)

    # --- rows ---

    async def dataset(self) -> str:
        return await self._connection.run(self._copies.open, self._project)

    async def put_rows(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        await self._of_rows(self._copies.put, dataset, rows)

    async def withdraw_rows(self, dataset: str, row_ids: Sequence[str], *, erase: bool = False) -> None:
        await self._of_rows(self._copies.withdraw, dataset, row_ids, erase=erase)

    async def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        await self._of_rows(self._copies.freeze, dataset, tag, row_ids)

    async def edits(self, dataset: str, since: datetime | None) -> Edits:
        return await self._of_rows(self._copies.edits, dataset, since)

    async def _of_rows(
        self, verb: Callable[CallArgs, Returned], *args: CallArgs.args, **kwargs: CallArgs.kwargs
    ) -> Returned:
        """Where no project is there, the SDK looks for one again with each example that it reads."""

        def with_project() -> Returned:
            self._session(self._project)
            return verb(*args, **kwargs)

        return await self._connection.run(with_project)

    # --- experiments ---

    async def experiment(self, experiment: Experiment, tried: Sequence[ExperimentRow]) -> None:
        run = self._connection.run
        session = await run(self._open, experiment)
        examples = await run(self._copies.living, experiment.dataset, [one.row_id for one in tried])
        there = [one for one in tried if one.row_id in examples]
        project = {"session_name": experiment.name}
        runs = [run_of(one.trace, **project, reference_example_id=str(examples[one.row_id])) for one in there]
        await run(self._ingest, runs)
        judged = await asyncio.gather(*(run(self._judge, one, session) for one in there), return_exceptions=True)
        for error in (one for one in judged if one is not None):
            if isinstance(error, NotThere):
                self._ids.clear()
                raise TrackerDown("a run is not to be found yet") from None
            raise error

    async def conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        await self._connection.run(self._conclude, experiment, figures)

    # --- in a thread ---

    def _ingest(self, runs: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(runs), RUNS_PER_REQUEST):
            batch = runs[start : start + RUNS_PER_REQUEST]
            if not self._connection.ingest(batch) and len(batch) > 1:
                for run in batch:
                    self._connection.ingest([run])

    def _say(self, feedback: Feedback) -> None:
        right = {CorrectionKind.AGREE: 1, CorrectionKind.CHANGE: 0}.get(feedback.kind)
        changed = feedback.kind is CorrectionKind.CHANGE
        self._feed(
            feedback.id,
            run_id=feedback.trace_id,
            trace_id=feedback.trace_id,
            session_id=self._session(self._project),
            key="undone" if feedback.kind is CorrectionKind.UNDO else FEEDBACK_KEY,
            score=right,
            value=feedback.category,
            correction={"category": feedback.category} if changed else None,
            source_info={"by": feedback.by, "kind": feedback.kind.value, "at": feedback.at.isoformat()},
        )
        if feedback.replaces:
            try:
                self._connection.client.delete_feedback(feedback.replaces)
            except Exception as error:
                if not isinstance(ours(error), NotThere):
                    raise

    def _feed(self, feedback_id: uuid.UUID, **said: Any) -> None:
        """Once: what is there under this id is there."""
        try:
            self._connection.client.create_feedback(feedback_id=feedback_id, stop_after_attempt=1, **said)
        except Exception as error:
            if not isinstance(ours(error), TakenBefore):
                raise

    def _annotations(self, since: datetime | None) -> list[Annotation]:
        asked: dict[str, Any] = {"session": [str(self._session(self._project))], "source": ["app"]}
        if since:
            asked["min_created_at"] = (since - SAID_AGAIN).isoformat()
        found = self._connection.client.list_feedback(**asked)
        said = [annotation for feedback in found if (annotation := annotation_of(feedback))]
        return sorted((one for one in said if since is None or one.at >= since), key=lambda one: one.at)

    def _session(self, name: str, experiment: Experiment | None = None) -> uuid.UUID:
        """The id of a project, or of an experiment, which is one of a dataset; made where there is none."""
        if name not in self._ids:
            client = self._connection.client
            about: dict[str, Any] = {"upsert": True}
            if experiment:
                about["reference_dataset_id"] = experiment.dataset
                about |= {"num_examples": experiment.rows, "metadata": self._about(experiment)}
            self._ids[name] = client.create_project(name, **about).id
        return self._ids[name]

    def _open(self, experiment: Experiment) -> uuid.UUID:
        with self._copies.within(experiment.dataset):
            return self._session(experiment.name, experiment)

    def _about(self, experiment: Experiment) -> dict[str, Any]:
        tag = experiment.version
        return experiment_about(experiment, self._copies.version(experiment.dataset, tag) if tag else None)

    def _judge(self, one: ExperimentRow, session: uuid.UUID) -> None:
        trace_id = one.trace.id
        about = {"run_id": trace_id, "trace_id": trace_id, "session_id": session}
        self._feed(named(trace_id, "correct"), key="correct", score=int(one.right), **about)

    def _conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        session = self._open(experiment)
        for name, figure in figures.items():
            self._feed(named(session, name), key=name, score=figure, project_id=session)
        self._connection.client.update_project(session, metadata=self._about(experiment) | dict(figures))
