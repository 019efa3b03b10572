"""Fine-tunes: one training job, its estimate, its state and its result."""

from datetime import datetime
from enum import StrEnum

from bot.domain.release import ModelName
from bot.domain.thing import Thing


class FinetuneState(StrEnum):
    """The state of a fine-tune.

    planned → confirmed → creating → running → succeeded | failed | cancelled; `confirmed` may fail too.

    `creating` is stored before the paid request is sent. A fine-tune found in it after a crash may have a job at the
    provider, so the app searches for it there.
    """

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    CREATING = "creating"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_STATES = frozenset({FinetuneState.SUCCEEDED, FinetuneState.FAILED, FinetuneState.CANCELLED})
UNDER_WAY = frozenset({FinetuneState.CONFIRMED, FinetuneState.CREATING, FinetuneState.RUNNING})
STALL_TOPIC = "finetune_stalled"
"""Outbox topic: a fine-tune that does not go on."""


class Estimate(Thing):
    """The estimated cost of a fine-tune. `usd` is None if the model's price is unknown."""

    rows: int
    tokens: int
    """Tokens of the file for one epoch; a provider bills them times the epochs."""
    epochs: int
    usd: float | None
    price_date: str | None


class Finetune(Thing):
    """One fine-tune."""

    id: str
    student: ModelName
    dataset_id: str
    prompt_id: str
    estimate: Estimate
    state: FinetuneState
    requested_by: str
    language: str
    created_at: datetime
    updated_at: datetime
    file_id: str | None = None
    job_id: str | None = None
    model: ModelName | None = None
    error: str | None = None
    progress: str | None = None
    """The provider's newest event, in its own words."""
    searched: int = 0
    """Number of searches at the provider for a job whose creation got no answer."""
    trained_tokens: int | None = None
    """Tokens that the provider bills; None until it reports them."""
    channel: str | None = None
    """Channel of the message that shows the progress."""
    channel_ts: str | None = None
    """The ts of the message that shows the progress."""
    started_at: datetime | None = None
    """When somebody confirmed it; None before that, and where an older program took the confirmation."""
    progressed_at: datetime | None = None
    """When it last went on; None where only an older program has followed it."""
    stalled_at: datetime | None = None
    """When people were told that it does not go on; None while it does."""
    trust: float | None = None
    """How much its model counts beside the prompt, 0..1: below 1 it lost to the prompt out of fold. None: unknown."""

    @property
    def reads_file(self) -> bool:
        """Whether the provider has the training file and has not finished reading it."""
        return self.state is FinetuneState.CONFIRMED and self.file_id is not None

    @property
    def last_progress(self) -> datetime:
        """The time at which it last went on, or ended."""
        return self.progressed_at or self.updated_at


class Job(Thing):
    """A provider's fine-tuning job. `status` is the provider's word; an unknown word means that the job still runs."""

    id: str
    status: str
    model: str | None = None
    error: str | None = None
    progress: str | None = None
    trained_tokens: int | None = None
