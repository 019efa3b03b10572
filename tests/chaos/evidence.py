"""The evidence of a run: the actions of people, the bot's messages in Slack, and the rows in the database."""

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
class Edit:
    """A later text of a message. `acked`: the bot acked an event with this text."""

    text: str
    acked: bool = False


@dataclass
class AskedQuestion:
    """A message of an employee. `acked`: the bot acked an event with its first text."""

    channel: str
    ts: str
    thread: str | None
    via: Via
    text: str
    acked: bool = False
    edits: list[Edit] = field(default_factory=list)

    @property
    def acceptable_texts(self) -> list[str]:
        """The texts that the bot may judge: the last one that it acked, and every later one."""
        acked = [number for number, edit in enumerate(self.edits, start=1) if edit.acked]
        return [self.text, *(edit.text for edit in self.edits)][acked[-1] if acked else 0 :]


class Outcome(StrEnum):
    """The result of a press, as its person saw it."""

    CONFIRMED = "confirmed"
    """Slack showed no error, and the bot sent the person no message that the press was rejected."""
    TOLD_OTHERWISE = "told otherwise"
    """The bot told the person that the press was rejected."""
    UNKNOWN = "no answer"
    """Slack showed that the app did not answer, so the press may or may not be stored."""


@dataclass(frozen=True)
class Press:
    """A press by one of the staff. The card showed `seen` corrections. A `category` of None means undo."""

    question: str
    seen: int
    category: str | None
    by: str
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True)
class BotMessage:
    """A message of the bot about a question, in its final state in Slack.

    Attributes:
        ts: The message's own ts.
        thread: Ts of the thread that contains the message.
        question: Id of the question that a card answers; None for a notice.
        event: Id of the event that a notice answers; None for a card.
        verdict: Id of the verdict on a card.
        seen: Number of corrections that a card shows.
        category_name: Name of the category that a card shows as the current one.
    """

    channel: str
    ts: str
    thread: str
    question: str | None = None
    event: str | None = None
    verdict: str = ""
    seen: int = 0
    category_name: str = ""


@dataclass(frozen=True)
class Evidence:
    """Everything that is known after a run.

    Attributes:
        tables: Table name → rows, in the order of their primary keys.
        logs: The logs of all replicas, joined.
    """

    asked: Sequence[AskedQuestion]
    presses: Sequence[Press]
    messages: Sequence[BotMessage]
    tables: Mapping[str, Sequence[Row]]
    logs: str = ""


def read_tables(url: str) -> dict[str, list[Row]]:
    """Return all rows of TABLES, read without the bot's store so that a bug in it cannot hide a loss."""
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


def seconds_to_answer(asked: AskedQuestion, answer: BotMessage) -> float:
    """Return the time from question to answer by Slack's ts, which are seconds since 1970."""
    return float(answer.ts) - float(asked.ts)
