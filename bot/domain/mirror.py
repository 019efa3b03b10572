"""Copies of our work for a tracker, and the changes that its users make there. The record stays here.

Categories are given by name, as in the training file, because people in the tracker do not know our ids.
"""

import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Row, Source, Split, answer_of
from bot.domain.masking import masked
from bot.domain.prompt import Category, Prompt
from bot.domain.release import ModelName
from bot.domain.thing import Thing

FEEDBACK_NAMESPACE = uuid.UUID("0b6c2c8e-55a0-4e0b-8f0e-2f7f3c9d6a11")
"""UUID namespace of feedback ids."""

Masked = Annotated[str, AfterValidator(masked)]
"""Text that is masked on validation, if it was not masked before; masking is idempotent."""


class Purpose(StrEnum):
    """The reason for an answer."""

    SERVING = "serving"
    MEMORY = "memory"
    """It repeats what staff settled. The release named in the trace was not asked."""
    SHADOW = "shadow"
    EVALUATION = "evaluation"


class Trace(Thing):
    """One classification. Sending it again under the same `id` creates no second trace."""

    id: uuid.UUID
    """The verdict's own id; for a shadow or an evaluation, the result of `trace_id`."""
    purpose: Purpose
    about: str
    """Id of the question or row."""
    text: Masked
    category: str
    reason: Masked | None = None
    confidence: float | None = None
    release_id: str
    prompt_id: str
    model: ModelName
    tokens_in: int
    tokens_out: int
    usd: float | None = None
    latency_ms: int | None = None
    at: datetime
    """Time of the answer."""


class Feedback(Thing):
    """One correction, attached to the trace that it corrects. The tracker keeps only a trace's newest feedback."""

    id: uuid.UUID
    """The correction's `feedback_id`."""
    replaces: uuid.UUID | None = None
    """Feedback id of the previous correction."""
    trace_id: uuid.UUID
    kind: CorrectionKind
    category: str
    """The right category; for an undo, the category that was taken back."""
    by: str
    """The corrector's `pseudonym`."""
    at: datetime


class RowCopy(Thing):
    """The copy of a dataset row: the messages and the answer of its line in the training file."""

    row_id: str
    system: str
    text: Masked
    reason: Masked
    category: str
    split: Split
    source: Source
    prompt_id: str
    settled_at: datetime


class Experiment(Thing):
    """An evaluation of one release on the rows of a dataset, under a unique name."""

    name: str
    dataset: str
    version: str | None = None
    """Tag of the dataset's version, if it has one."""
    release_id: str
    prompt_id: str
    model: ModelName
    rows: int
    started_at: datetime


class ExperimentRow(Thing):
    """One row of an experiment: the release's answer, and whether it matches the settled category."""

    trace: Trace
    row_id: str
    right: bool


class Edit(Thing):
    """A copied row that a person changed in the tracker, or a trace that they added to the dataset as a row.

    Values that we sent ourselves are not edits, so nothing comes back as an echo.
    """

    row_id: str | None
    trace_id: uuid.UUID | None = None
    """Id of the added trace, if the edit is not of one of our rows."""
    category: str | None
    """The category's name as the person wrote it; None if they deleted it."""
    reason: str | None
    by: str | None
    """The person, if the tracker reports one."""
    at: datetime


class Edits(Thing):
    """All changes up to the time `upto`, oldest first. The next query starts at `upto`."""

    edits: tuple[Edit, ...]
    upto: datetime


class Annotation(Thing):
    """A person's correction of a trace in the tracker: the right category, as they wrote it."""

    id: uuid.UUID
    trace_id: uuid.UUID
    category: str
    comment: str | None
    by: str | None
    """The tracker's own id of the person, if it reports one."""
    at: datetime


def row_copy(row: Row, prompt: Prompt, category: Category) -> RowCopy:
    """Return the copy of a row. `category` is the row's category in this prompt."""
    return RowCopy(
        row_id=row.id,
        system=prompt.text,
        text=row.text,
        **answer_of(row, prompt, category),
        split=row.split,
        source=row.source,
        prompt_id=prompt.id,
        settled_at=row.settled_at,
    )


def trace_id(at: datetime, *what: str) -> uuid.UUID:
    """Return a UUID of version 7 for this time. The same time and words always give the same UUID."""
    digest = hashlib.sha256("\0".join(what).encode()).digest()
    # In whole numbers: a float of this size would be a millisecond off now and then.
    milliseconds = (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    raw = bytearray(milliseconds.to_bytes(6, "big") + digest[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)  # the version
    raw[8] = 0x80 | (raw[8] & 0x3F)  # the variant
    return uuid.UUID(bytes=bytes(raw))


def feedback_id(question_id: str, seq: int) -> uuid.UUID:
    """Return the feedback id of a question's correction number `seq`; it is always the same."""
    return uuid.uuid5(FEEDBACK_NAMESPACE, f"{question_id}/{seq}")


def pseudonym(key: bytes, person: str) -> str:
    """Return a person's pseudonym. Without `key` it cannot be reversed, not even by trying all ids."""
    return "p-" + hmac.new(key, person.encode(), hashlib.sha256).hexdigest()[:16]
