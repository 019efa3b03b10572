"""Fine-tunes: one training job, its frozen rows, its price and its end."""

from datetime import datetime
from enum import StrEnum

from bot.domain.release import ModelName
from bot.domain.thing import Thing


class FinetuneState(StrEnum):
    """Where a fine-tune stands.

    planned → confirmed → creating → running → succeeded | failed | cancelled; `confirmed` may fail too. `creating` is
    written before the job is asked for: a fine-tune found in it after a crash may have a paid job, so it is looked for.
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


class Estimate(Thing):
    """What a fine-tune is about to cost. `usd` is None where the model has no known price."""

    rows: int
    tokens: int
    """Tokens of the file, once; a provider bills them times the epochs."""
    epochs: int
    usd: float | None
    price_date: str | None


class Finetune(Thing):
    """One fine-tune. `thread` is where its progress is shown: (channel, ts)."""

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
    """The provider's newest event, as it said it."""
    searched: int = 0
    """How often a job whose creation was not answered has been looked for."""
    trained_tokens: int | None = None
    """What the provider bills, once it says so."""
    channel: str | None = None
    channel_ts: str | None = None


class Job(Thing):
    """A provider's fine-tuning job. `status` is the provider's word; unknown words mean: still running."""

    id: str
    status: str
    model: str | None = None
    error: str | None = None
    progress: str | None = None
    trained_tokens: int | None = None
