"""What a tracker is shown of our work, and what its people change there. It holds copies; the record stays here.

A category is its name here, as people read it and as the training file has it: over there nobody knows our ids.
"""

import hashlib
import hmac
import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from bot.domain.correction import CorrectionKind
from bot.domain.dataset import Row, Source, Split, answer_of
from bot.domain.masking import masked
from bot.domain.prompt import Category, Prompt
from bot.domain.release import ModelName
from bot.domain.thing import Thing

SAID = uuid.UUID("0b6c2c8e-55a0-4e0b-8f0e-2f7f3c9d6a11")
"""The namespace of the ids of feedback."""

Masked = Annotated[str, AfterValidator(masked)]
"""Text that has been masked at the latest when it stands in here: masking twice changes nothing."""


class Purpose(StrEnum):
    """Why a release was asked."""

    SERVING = "serving"
    SHADOW = "shadow"
    EVALUATION = "evaluation"


class Trace(Thing):
    """One classification. Sent again under the same `id`, it is still one."""

    id: uuid.UUID
    """A verdict's own id; of a shadow or an evaluation `trace_id`."""
    purpose: Purpose
    about: str
    """The id of the question or of the row."""
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
    """When the answer came."""


class Feedback(Thing):
    """One correction, as said of the trace that it corrects. Of a trace the newest one is kept there, no other."""

    id: uuid.UUID
    """`feedback_id` of the correction."""
    replaces: uuid.UUID | None = None
    """The id of the correction before."""
    trace_id: uuid.UUID
    kind: CorrectionKind
    category: str
    """What is right; on an undo, what was taken back."""
    by: str
    """`pseudonym` of who said it."""
    at: datetime


class RowCopy(Thing):
    """A dataset row as it is shown: the messages and the answer of its line in the training file."""

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
    """An evaluation of one release on the rows of a dataset, under a name that no other one has."""

    name: str
    dataset: str
    version: str | None = None
    """The tag of the dataset's version, where there is one."""
    release_id: str
    prompt_id: str
    model: ModelName
    rows: int
    started_at: datetime


class ExperimentRow(Thing):
    """One row of an experiment: what the release answered to it, and whether that is what staff settled."""

    trace: Trace
    row_id: str
    right: bool


class Edit(Thing):
    """A copied row that a person changed over there, or a trace that they added as a row of theirs.

    What the copy was sent with is no edit, so nothing echoes.
    """

    row_id: str | None
    trace_id: uuid.UUID | None = None
    """Of the trace, where it is no row of ours."""
    category: str | None
    """A category's name as the person wrote it; None where it was emptied."""
    reason: str | None
    by: str | None
    """Who, where the tracker tells."""
    at: datetime


class Edits(Thing):
    """What was changed up to a moment, the oldest first. Ask from there on the next time."""

    edits: tuple[Edit, ...]
    upto: datetime


class Annotation(Thing):
    """A person's word over there on a trace: the category that is right, as they wrote it."""

    id: uuid.UUID
    trace_id: uuid.UUID
    category: str
    comment: str | None
    by: str | None
    """The tracker's own id of the person, where it tells."""
    at: datetime


def row_copy(row: Row, prompt: Prompt, category: Category) -> RowCopy:
    """`category` is the row's, of this prompt."""
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
    """A UUID of version 7 of this moment, and the same one each time for the same moment and words."""
    told = hashlib.sha256("\0".join(what).encode()).digest()
    raw = bytearray(int(at.timestamp() * 1000).to_bytes(6, "big") + told[:10])
    raw[6] = 0x70 | (raw[6] & 0x0F)  # the version
    raw[8] = 0x80 | (raw[8] & 0x3F)  # the variant
    return uuid.UUID(bytes=bytes(raw))


def feedback_id(question_id: str, seq: int) -> uuid.UUID:
    """The id of what was said in a question's correction number `seq`: always the same one."""
    return uuid.uuid5(SAID, f"{question_id}/{seq}")


def pseudonym(key: bytes, person: str) -> str:
    """The same word for the same person; without `key` nobody can tell who, not even by trying all ids."""
    return "p-" + hmac.new(key, person.encode(), hashlib.sha256).hexdigest()[:16]
