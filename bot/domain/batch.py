"""Batches: all questions of an evaluation in one provider request, cheaper, answered within a day."""

from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing


class BatchState(StrEnum):
    """The state of a batch: creating → running → answered → posted; any of the first three may become failed.

    `creating` is stored before the paid request is sent. A batch found in it after a crash may exist at the provider,
    so the app searches for it there.
    """

    CREATING = "creating"
    RUNNING = "running"
    ANSWERED = "answered"
    POSTED = "posted"
    FAILED = "failed"


OPEN_BATCHES = (BatchState.CREATING, BatchState.RUNNING, BatchState.ANSWERED)


class Batch(Thing):
    """One batch of one release's evaluation, and the channel that its figures go to."""

    id: str
    release_id: str
    batch_id: str | None = None
    """The provider's id, once it is known."""
    state: BatchState
    requested_by: str
    language: str
    channel: str
    created_at: datetime
    updated_at: datetime
    searched: int = 0
    """Number of searches at the provider for a batch whose creation got no answer."""
    revision: str | None = None
    """The revision of the embedded model that is asked; None for other models."""


class BatchJob(Thing):
    """A provider's batch. `ended` means that no more answers will come; an aborted batch may hold some answers."""

    id: str
    ended: bool
    error: str | None = None
