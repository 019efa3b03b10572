"""The experiment tracker (LangSmith) that our work is mirrored to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.forgetting import Traced
from bot.domain.mirror import Annotation, Edits, Experiment, ExperimentRow, Feedback, RowCopy, Trace


class Tracker(Protocol):
    """A tool in which teams look at traces, rows and evaluations.

    The tracker gets copies, and people's changes come back. When a method returns, the tracker has accepted the data.
    All ids are ours, so a repeated call never creates a duplicate. Every method has a bounded deadline.

    Raises:
        TrackerDown: Any method; nothing or only a part was accepted.
        TrackerRefused: Any method; DATASET_GONE only from methods that name a dataset.
    """

    async def check(self) -> None:
        """Check that the tracker is reachable and accepts our key; used by `status` and `doctor`."""

    async def dataset(self) -> str:
        """Return the id of our dataset, which is created if missing.

        Store the id: a different one means a new, empty dataset that must be filled.
        """

    async def trace(self, traces: Sequence[Trace]) -> None:
        """Send classifications, at most 1,000 at once."""

    async def say(self, feedback: Feedback) -> None:
        """Attach a correction to its trace, in place of the previous one.

        Raises:
            TrackerRefused: UNKNOWN_TRACE too.
        """

    async def put_rows(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        """Upsert rows as they are now, at most 1,000 at once, so that the dataset holds each row once.

        A row that a person changed in the tracker after it was settled keeps that change; `edits` reports it.
        """

    async def withdraw_rows(self, dataset: str, row_ids: Sequence[str], *, erase: bool = False) -> None:
        """Remove rows from the dataset, at most 1,000 at once. Unknown ids are no error.

        Args:
            dataset: The dataset's id.
            row_ids: Ids of the rows.
            erase: Also remove them from all older versions, for good.
        """

    async def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        """Tag the dataset's current version, and these of its rows, with `tag`. An existing tag stays unchanged."""

    async def experiment(self, experiment: Experiment, tried: Sequence[ExperimentRow]) -> None:
        """Send rows of an evaluation, at most 1,000 at once; repeat with further rows until all are sent."""

    async def conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        """Mark the experiment as complete, with its figures by name."""

    async def edits(self, dataset: str, since: datetime | None) -> Edits:
        """Return people's changes to our rows, and the traces they added as rows, after `since` (None: all)."""

    async def annotations(self, since: datetime | None) -> list[Annotation]:
        """Return what people said about our traces at or after `since` (None: all), oldest first."""

    async def forget(self, dataset: str | None, traced: Traced) -> None:
        """Erase traces, feedback, and rows with the evaluations on them, for good. Unknown ids are no error.

        The tracker may take days for traces: ask `remembers`.

        Args:
            dataset: The dataset's id; None if there is none.
            traced: What is forgotten.
        """

    async def remembers(self, dataset: str | None, traced: Traced) -> bool:
        """Return whether anything of this can still be found."""
