"""Batches: an evaluation's questions, asked of a provider all together, cheaper and within a day."""

from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing


class BatchState(StrEnum):
    """Where a batch stands: creating → running → answered → posted; any of the first three may end as failed.

    `creating` is written before the paid creation is sent, so what is found in it after a crash is looked for.
    """

    CREATING = "creating"
    RUNNING = "running"
    ANSWERED = "answered"
    POSTED = "posted"
    FAILED = "failed"


OPEN_BATCHES = (BatchState.CREATING, BatchState.RUNNING, BatchState.ANSWERED)


class Batch(Thing):
    """One batch of one release's evaluation, and where its figures go."""

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
    """How often a batch whose creation was not answered has been looked for."""


class BatchJob(Thing):
    """A provider's batch. `ended`: no more answers will come; there may be some even where it was cut off."""

    id: str
    ended: bool
    error: str | None = None
