"""An in-memory tracker that behaves as the port describes."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.errors import TracesDown, TrackerDown, TrackerError, TrackerReason, TrackerRefused
from bot.domain.forgetting import Traced
from bot.domain.mirror import Annotation, Edit, Edits, Experiment, ExperimentRow, Feedback, RowCopy, Trace
from tests.kits.fakes import StepClock


class MemoryTracker:
    """A tracker in memory.

    Attributes:
        spoiled: Ids of rows and traces (hexadecimal) that are always refused.
        calls: (method, number of items) of each call.
    """

    def __init__(self, clock: StepClock) -> None:
        self._clock = clock
        self.traces: dict[uuid.UUID, Trace] = {}
        self.feedback: dict[uuid.UUID, Feedback] = {}
        self.datasets: dict[str, dict[str, RowCopy]] = {}
        self.tags: dict[str, dict[str, RowCopy]] = {}
        self.experiments: dict[str, dict[str, ExperimentRow]] = {}
        self.figures: dict[str, Mapping[str, float]] = {}
        self.waiting_edits: list[Edit] = []
        self.waiting_annotations: list[Annotation] = []
        self.spoiled: set[str] = set()
        self.calls: list[tuple[str, int]] = []
        self.fail_at: int | None = None
        """The index in `calls` of the call that fails."""
        self.fail_traces = False
        """Whether the quota on traces is used up."""
        self._failures: list[TrackerError] = []

    def fail(self, times: int = 1, error: TrackerError | None = None) -> None:
        """Let the next calls fail."""
        self._failures += [error or TrackerDown("503")] * times

    def delete_dataset(self) -> None:
        """Delete the dataset, as a person can at the tracker."""
        self.datasets.clear()

    @property
    def rows(self) -> dict[str, RowCopy]:
        """The rows of the only dataset."""
        (rows,) = self.datasets.values()
        return rows

    def _called(self, verb: str, many: Sequence[object] = ()) -> None:
        self.calls.append((verb, len(many)))
        assert len(many) <= 1_000
        if self._failures:
            raise self._failures.pop(0)
        if self.fail_at == len(self.calls) - 1:
            raise TrackerDown("timeout")

    def _of(self, dataset: str) -> dict[str, RowCopy]:
        if dataset not in self.datasets:
            raise TrackerRefused(TrackerReason.DATASET_GONE, "404")
        return self.datasets[dataset]

    def _refuse_spoiled(self, ids: Sequence[str]) -> None:
        if self.spoiled & set(ids):
            raise TrackerRefused(TrackerReason.NOT_TAKEN, "422")

    async def check(self) -> None:
        self._called("check")

    async def dataset(self) -> str:
        self._called("dataset")
        if not self.datasets:
            self.datasets[uuid.uuid4().hex] = {}
        return next(iter(self.datasets))

    async def trace(self, traces: Sequence[Trace]) -> None:
        self._called("trace", traces)
        if self.fail_traces:
            raise TracesDown("429")
        self._refuse_spoiled([trace.id.hex for trace in traces])
        self.traces |= {trace.id: trace for trace in traces}

    async def say(self, feedback: Feedback) -> None:
        self._called("say")
        if feedback.trace_id not in self.traces:
            raise TrackerRefused(TrackerReason.UNKNOWN_TRACE, "404")
        if feedback.replaces:
            self.feedback.pop(feedback.replaces, None)
        self.feedback[feedback.id] = feedback

    async def put_rows(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        self._called("put_rows", rows)
        assert len({row.row_id for row in rows}) == len(rows)
        kept = self._of(dataset)
        self._refuse_spoiled([row.row_id for row in rows])
        kept |= {row.row_id: row for row in rows}

    async def withdraw_rows(self, dataset: str, row_ids: Sequence[str], *, erase: bool = False) -> None:
        self._called("withdraw_rows", row_ids)
        for row_id in row_ids:
            self._of(dataset).pop(row_id, None)

    async def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        self._called("freeze")
        rows = self._of(dataset)
        self.tags.setdefault(tag, {row_id: rows[row_id] for row_id in row_ids if row_id in rows})

    async def experiment(self, experiment: Experiment, tried: Sequence[ExperimentRow]) -> None:
        self._called("experiment", tried)
        self._of(experiment.dataset)
        self.experiments.setdefault(experiment.name, {}).update({one.row_id: one for one in tried})

    async def conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        self._called("conclude")
        assert len(self.experiments[experiment.name]) == experiment.rows
        self.figures[experiment.name] = figures

    async def edits(self, dataset: str, since: datetime | None) -> Edits:
        self._called("edits")
        self._of(dataset)
        found = [edit for edit in self.waiting_edits if since is None or edit.at > since]
        return Edits(edits=tuple(found), upto=self._clock.now())

    async def annotations(self, since: datetime | None) -> list[Annotation]:
        self._called("annotations")
        return [one for one in self.waiting_annotations if since is None or one.at >= since]

    async def forget(self, dataset: str | None, traced: Traced) -> None:
        self._called("forget")
        for trace in traced.traces:
            self.traces.pop(uuid.UUID(trace), None)
        for feedback in traced.feedback:
            self.feedback.pop(uuid.UUID(feedback), None)
        for row in traced.rows if dataset else ():
            self._of(str(dataset)).pop(row, None)

    async def remembers(self, dataset: str | None, traced: Traced) -> bool:
        kept = self._of(dataset) if dataset else {}
        return any(uuid.UUID(one) in self.traces for one in traced.traces) or any(row in kept for row in traced.rows)
