"""Questions, from a message's arrival to its verdict."""

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import field_validator

from bot.domain import consent
from bot.domain.audience import Audience
from bot.domain.consent import Author
from bot.domain.thing import Thing

PART_IDS = uuid.UUID("c1d1f5ab-9a0c-4c4e-8f0e-3f3f4f0f6b52")


class Via(StrEnum):
    """The way a question reached the bot."""

    MENTION = "mention"
    DM = "dm"
    CHANNEL = "channel"
    SHORTCUT = "shortcut"


class Place(Thing):
    """The position of a message in Slack. `ts` identifies a message within its channel."""

    team: str
    channel: str
    ts: str
    thread_ts: str | None = None

    @property
    def thread(self) -> str:
        """The ts of the thread for an answer."""
        return self.thread_ts or self.ts


class ArrivalKind(StrEnum):
    """The kind of arrival: a new message or an edit."""

    ASKED = "asked"
    EDITED = "edited"


class Unread(StrEnum):
    """Parts of a message that are not read, besides files. The colon tells them from the names of files."""

    FORWARD = ":forward"
    """A forwarded message whose author or channel is not surely our own, or any message that is only linked."""
    THREAD = ":thread"
    """The message that a reply points at, because its author is not surely a member."""
    OTHER = ":other"
    """An attachment or block in which the bot finds no text."""


class Arrival(Thing):
    """A message as it came in, before any decision. `event_id` is Slack's; for a shortcut it is ours."""

    event_id: str
    kind: ArrivalKind = ArrivalKind.ASKED
    via: Via
    place: Place
    asker: str
    text: str
    language: str = "en"
    has_files: bool = False
    outsider: bool = False
    """Whether the asker is a guest or of another organisation. Such text is never stored, so `text` is empty."""
    late: bool = False
    """Whether the message came while the bot was away and was found in the channel's history."""
    unread: str = ""
    """The unread parts of the message, one a line: a value of `Unread`, or the name of a file."""
    said: str = ""
    """Time of an edit, as a ts. Empty for the original message, or if the time is unknown."""
    audience: Audience = Audience.UNKNOWN
    quotes: tuple[str, ...] = ()
    """The other messages that the question is about: forwarded ones, and those of its thread."""
    authors: tuple[Author, ...] = ()
    """The people whose words `text` and `quotes` hold and who did not ask the question themselves."""

    presser: str = ""
    """The person who had somebody else's message answered, by the shortcut or an emoji; empty if the asker did."""

    @property
    def counted_for(self) -> str:
        """The person whose limit of questions per hour the arrival counts in."""
        return self.presser or self.asker

    @property
    def whole(self) -> str:
        """The text with all quotes, one below the other."""
        return "\n".join(filter(None, (self.text, *self.quotes)))

    @property
    def direct(self) -> bool:
        """Whether it came as a direct message to the bot."""
        return self.audience is Audience.DIRECT or self.place.channel.startswith("D")

    @property
    def comes_after_first(self) -> bool:
        """Whether the message may have arrived before: by an edit or by the shortcut."""
        return self.kind is ArrivalKind.EDITED or self.via is Via.SHORTCUT

    @property
    def said_at(self) -> datetime:
        """The time of the message, or of its edit."""
        return datetime.fromtimestamp(float(self.said or self.place.ts), UTC)

    def after(self, other: "Arrival") -> bool:
        """Return whether this arrival's text is newer than the other's, for the same message."""
        return float(self.said or self.place.ts) > float(other.said or other.place.ts)


class Missed(Thing):
    """Questions of a channel that were found too late to be answered, to be listed for staff."""

    channel: str
    ts: tuple[str, ...]
    """The ts of the newest questions, oldest first."""
    n: int
    """Number of all such questions."""
    hours: float
    """Age, in hours, from which a question is too old to be answered."""
    language: str


class InboxItem(Thing):
    """An arrival that a worker holds under a lease. `attempts` includes this one. `token` fences off late workers."""

    id: int
    arrival: Arrival
    attempts: int
    token: str
    received_at: datetime


class Ending(StrEnum):
    """The possible endings of an arrival."""

    ANSWERED = "answered"
    FAILED = "failed"
    IGNORED = "ignored"
    CARE = "care"
    """A cry for help, answered in private with the people who help (`Caring`). Nothing else is kept of it."""


class Disclosure(StrEnum):
    """An asker's decision about a direct message. Before any decision it is as private as a kept one."""

    KEPT = "kept"
    """Nobody is told. The asker may still send it later."""
    NAMED = "named"
    """Sent to the people responsible, with the asker's name. Sending cannot be undone."""
    UNNAMED = "unnamed"
    """Sent without a name: the asker is shown nowhere."""


SENT = frozenset({Disclosure.NAMED, Disclosure.UNNAMED})


class Question(Thing):
    """An accepted question. `text` is masked. `card_ts` is the ts of the one visible answer, once posted."""

    id: str
    text: str
    asker: str
    place: Place
    via: Via
    language: str
    asked_at: datetime
    cut: bool = False
    """Whether the text was cut, because the message was longer than `intake.LONGEST_QUESTION`."""
    card_ts: str | None = None
    late: bool = False
    """Whether the question was asked while the bot was away; the card apologises for that."""
    unread: str | None = None
    """The unread parts of the message, as in its arrival; the card names them."""
    audience: Audience = Audience.UNKNOWN
    """The audience of the message when it arrived."""
    authors: tuple[Author, ...] = ()
    """The other people whose words the text holds."""
    disclosure: Disclosure | None = None
    """The asker's decision about a direct message; None for a question in a channel, or before any decision."""
    part_of: str | None = None
    """Id of the message's first question, if this is its second one. Both share the message and the card."""

    @property
    def root(self) -> str:
        """The id of the message's first question, which the card belongs to."""
        return self.part_of or self.id

    @property
    def second_id(self) -> str:
        """The id of the second question of the same message, whether there is one or not."""
        return uuid.uuid5(PART_IDS, self.id).hex

    def second(self, text: str) -> "Question":
        """Return the second question of this one's message. Facts about the whole message stay with the first."""
        own = {"id": self.second_id, "text": text, "part_of": self.id, "late": False, "unread": None, "cut": False}
        return self.model_copy(update=own)

    @property
    def public(self) -> bool:
        """Whether everybody may read it. A doubtful question is private."""
        return self.audience is Audience.PUBLIC and not self.direct

    @property
    def direct(self) -> bool:
        """Whether it was asked in a direct message. Programs before migration 0004 stored no audience."""
        return self.audience is Audience.DIRECT or self.place.channel.startswith("D")

    @property
    def unsent(self) -> bool:
        """Whether it is a direct message that nobody but its asker may hear of. It makes no row."""
        return self.direct and self.disclosure not in SENT

    @property
    def shown_asker(self) -> str | None:
        """The asker, as other people may see them; None if the question was sent without a name."""
        return None if self.disclosure is Disclosure.UNNAMED else self.asker

    @property
    def withheld(self) -> bool:
        """Whether the text may only be answered, because an author of its words has not agreed to any other use."""
        return consent.withheld(self.authors)


class Verdict(Thing):
    """A release's answer. `confidence` is in 0..1; None if the model gives no probabilities."""

    id: str
    question_id: str
    release_id: str
    category: str
    """Id of a category; always one of the release's prompt."""
    reason: str
    confidence: float | None
    latency_ms: int
    tokens_in: int
    tokens_out: int
    at: datetime
    provisional: bool = False
    """Whether the fallback release answered because the serving one could not; the question is rechecked later."""
    settled_row: str | None = None
    """Id of the settled row that this verdict repeats; None if a model answered. The release was not asked then."""
    row_settled_at: datetime | None = None
    """When staff settled that row; None if it was imported."""
    revision: str | None = None
    """The revision of the embedded model that answered; None for other models."""
    others: tuple[str, ...] = ()
    """Ids of the other categories, the likeliest first, as far as the model or the examples tell."""

    @field_validator("others", mode="before")
    @classmethod
    def _none_told(cls, value: Any) -> Any:
        return value or ()

    @property
    def from_memory(self) -> bool:
        """Whether it repeats a settled row. Such a verdict says nothing about its release."""
        return self.settled_row is not None

    @property
    def trace(self) -> uuid.UUID:
        """The id of its trace: its own id as a UUID."""
        return uuid.UUID(self.id)


class Notice(StrEnum):
    """A message to an asker who gets no card. Each notice has a text in each language under `notice.<value>`."""

    EMPTY = "empty"
    FILES_ONLY = "files_only"
    FORWARD_ONLY = "forward_only"
    EMOJI_ONLY = "emoji_only"
    OUTSIDER = "outsider"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    CARE = "care"
    """The private answer to a cry for help; handlers/views/care.py adds whom to turn to."""
