"""What is known when all is over: what people did, what stands in Slack, what stands in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import create_engine, select

from bot.domain.question import Via
from storage.tables import corrections, inbox, outbox, questions, release_events, releases, rows, verdicts

Json = dict[str, Any]
Row = Mapping[str, Any]
TABLES = (inbox, questions, verdicts, corrections, rows, releases, release_events, outbox)


@dataclass
class Edited:
    """A later text of a message. `taken`: the bot acked an event that brought it."""

    text: str
    taken: bool = False


@dataclass
class Asked:
    """A message of an employee. `taken`: the bot acked an event that brought it."""

    channel: str
    ts: str
    thread: str | None
    via: Via
    text: str
    taken: bool = False
    edits: list[Edited] = field(default_factory=list)

    @property
    def possible(self) -> list[str]:
        """The texts that the bot may go by: the newest that it acked, and what came after it."""
        taken = [n for n, edit in enumerate(self.edits, start=1) if edit.taken]
        return [self.text, *(edit.text for edit in self.edits)][taken[-1] if taken else 0 :]


class Outcome(StrEnum):
    """What a person could take from a press."""

    CONFIRMED = "confirmed"
    """Slack showed no error, and nobody told them that it does not hold."""
    TOLD = "told otherwise"
    UNKNOWN = "no answer"
    """Slack showed that the app did not answer: it may hold or not."""


@dataclass(frozen=True)
class Pressed:
    """A press of one of the staff on a card that showed correction number `seen`. `category` None: undo."""

    question: str
    seen: int
    category: str | None
    by: str
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True)
class Posted:
    """A message of the bot that belongs to a question, as it stands in Slack at the end.

    Attributes:
        channel: where.
        ts: its own.
        thread: the thread that it stands in.
        question: the id of the question that a card answers; None for a notice.
        event: the id of the event that a notice answers; None for a card.
        verdict: the id of the verdict that a card shows.
        seen: the number of corrections that a card shows.
        said: the name of the category that a card shows as the one that holds.
    """

    channel: str
    ts: str
    thread: str
    question: str | None = None
    event: str | None = None
    verdict: str = ""
    seen: int = 0
    said: str = ""


@dataclass(frozen=True)
class Evidence:
    """All of it. `tables`: by name, in order of their keys. `logs`: of all replicas."""

    asked: Sequence[Asked]
    pressed: Sequence[Pressed]
    posted: Sequence[Posted]
    tables: Mapping[str, Sequence[Row]]
    logs: str = ""


def tables_of(url: str) -> dict[str, list[Row]]:
    """All rows of the tables, read without the bot's own code."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return {
                table.name: [
                    dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
                ]
                for table in TABLES
            }
    finally:
        engine.dispose()


def seconds_between(asked: Asked, answer: Posted) -> float:
    """Slack's own ts are seconds since 1970."""
    return float(answer.ts) - float(asked.ts)
