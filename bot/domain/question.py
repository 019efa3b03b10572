"""What was asked, and where it came from."""

import uuid
from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing


class Via(StrEnum):
    """How a question reached us."""

    MENTION = "mention"
    DM = "dm"
    CHANNEL = "channel"
    SHORTCUT = "shortcut"


class Place(Thing):
    """Where in Slack something stands. `ts` names a message within its channel."""

    team: str
    channel: str
    ts: str
    thread_ts: str | None = None

    @property
    def thread(self) -> str:
        """The ts of the thread that an answer belongs in."""
        return self.thread_ts or self.ts


class ArrivalKind(StrEnum):
    """What an arrival asks for."""

    ASKED = "asked"
    EDITED = "edited"


class Arrival(Thing):
    """A message as it came in, before anything is decided. `event_id` is Slack's, or ours for a shortcut."""

    event_id: str
    kind: ArrivalKind = ArrivalKind.ASKED
    via: Via
    place: Place
    asker: str
    text: str
    language: str = "en"
    has_files: bool = False
    outsider: bool = False
    """A guest or another organisation's person: the text is empty, for it is never stored."""
    late: bool = False
    """It was found in the channel's history: it came while the bot was away."""
    said: str = ""
    """Of an edit: when it was made, as a ts. Empty where that is as old as the message, or nobody knows."""

    def after(self, other: "Arrival") -> bool:
        """Whether this text of a message is newer than the other one."""
        return float(self.said or self.place.ts) > float(other.said or other.place.ts)


class Missed(Thing):
    """Questions of a channel that were found too late to be answered, as staff are told of them."""

    channel: str
    ts: tuple[str, ...]
    """Of the newest of them, the oldest first."""
    n: int
    """All of them."""
    hours: float
    """After which a question is too old."""
    language: str


class InboxItem(Thing):
    """An arrival that a worker holds by lease. `attempts` counts this one. `token` fences late workers off."""

    id: int
    arrival: Arrival
    attempts: int
    token: str
    received_at: datetime


class Ending(StrEnum):
    """How an arrival ended; there is no other way."""

    ANSWERED = "answered"
    FAILED = "failed"
    IGNORED = "ignored"


class Question(Thing):
    """A question that was accepted. `text` is masked. `card_ts` is the ts of the one visible answer, once posted."""

    id: str
    text: str
    asker: str
    place: Place
    via: Via
    language: str
    asked_at: datetime
    cut: bool = False
    """Only the beginning was kept: the message was longer than `intake.LONGEST`."""
    card_ts: str | None = None
    late: bool = False
    """It was asked while the bot was away, which the card says with a word of apology."""


class Verdict(Thing):
    """What a release answered. `confidence` is in 0..1, None where the model gives no probabilities."""

    id: str
    question_id: str
    release_id: str
    category: str
    """A category's id, always one of the release's prompt."""
    reason: str
    confidence: float | None
    latency_ms: int
    tokens_in: int
    tokens_out: int
    at: datetime
    provisional: bool = False
    """The fallback release answered, for the serving one could not; it is looked at again."""

    @property
    def trace(self) -> uuid.UUID:
        """What its trace is called: its own id, as a UUID."""
        return uuid.UUID(self.id)


class Notice(StrEnum):
    """Why an arrival got no card, as people are told it. Each has a text in each language under `notice.<value>`."""

    EMPTY = "empty"
    FILES_ONLY = "files_only"
    EMOJI_ONLY = "emoji_only"
    OUTSIDER = "outsider"
    FAILED = "failed"
    UNREADABLE = "unreadable"
