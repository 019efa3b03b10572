"""Marks of staff on the review queue that settle no question."""

from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.correction import Correction, CorrectionKind
from bot.domain.dataset import Source
from bot.domain.thing import Thing

RUN_PAUSE = timedelta(hours=1)
"""Time without a press after which a person's run through the queue is over."""
LONGEST_RUN = timedelta(hours=12)


class MarkKind(StrEnum):
    """The kind of mark."""

    SKIP = "skip"
    """The entry goes to the end, for this person."""
    NOT_A_QUESTION = "not_a_question"
    """The question leaves the queue, for everybody, and makes no row."""
    CONFLICT = "conflict"
    """The person settled a conflict. Its corrections, made at the same time, count as this one press."""
    BACK = "back"
    """Takes back the person's own skip, or anybody's *not a question*."""


class ImportedBefore(Thing):
    """An imported row as it was before a conflict was settled."""

    category: str
    source: Source
    reason: str | None = None
    """None also where an earlier program settled it."""


class QueueMark(Thing):
    """One mark; append-only. `key` is the question's id, or the conflict's key."""

    key: str
    kind: MarkKind
    by: str
    at: datetime
    before: dict[str, ImportedBefore] | None = None
    """Imported row → its state before the conflict was settled. None for other marks, and those of old programs."""


class LastPress(Thing):
    """The press that *Undo* takes back."""

    key: str
    seq: int = 0
    """Number of the correction; 0 for a mark."""
    conflict: bool = False
    """Whether it settled a conflict."""


class ReviewRun(Thing):
    """A person's presses without a long pause, up to now."""

    done: int = 0
    """Number of entries that left the queue and are still out of it."""
    confirmed: int = 0
    """Those of them that were settled."""
    last: LastPress | None = None


def run_of(corrections: list[Correction], marks: list[QueueMark], now: datetime) -> ReviewRun:
    """Return a person's run from their own corrections and marks of the last `LONGEST_RUN`, marks oldest first."""
    # Taking a conflict's settlement back makes corrections at the time of its mark, too.
    in_conflicts = {mark.at for mark in marks if mark.kind in {MarkKind.CONFLICT, MarkKind.BACK}}
    alone = [one for one in corrections if one.at not in in_conflicts]
    presses: list[Correction | QueueMark] = [*alone, *marks]
    presses.sort(key=lambda press: (press.at, press.seq if isinstance(press, Correction) else 0))
    newest: dict[str, Correction | QueueMark] = {}
    before = now
    for press in reversed(presses):
        if before - press.at > RUN_PAUSE:
            break
        newest.setdefault(press.question_id if isinstance(press, Correction) else press.key, press)
        before = press.at
    standing = {key: press for key, press in newest.items() if press.kind not in {CorrectionKind.UNDO, MarkKind.BACK}}
    left = [press for press in standing.values() if press.kind is not MarkKind.SKIP]
    confirmed = [press for press in left if press.kind is not MarkKind.NOT_A_QUESTION]
    return ReviewRun(done=len(left), confirmed=len(confirmed), last=_last(standing))


def _last(standing: dict[str, Correction | QueueMark]) -> LastPress | None:
    for key, press in standing.items():  # the newest first
        if isinstance(press, Correction):
            return LastPress(key=key, seq=press.seq)
        if press.kind is MarkKind.CONFLICT:
            return LastPress(key=key, conflict=True) if press.before is not None else None
        return LastPress(key=key)
    return None
