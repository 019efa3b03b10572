"""Requests to forget, and the reports on them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from bot.domain.question import Place
from bot.domain.thing import Thing

FORGET_TOPIC = "forget"
"""Outbox topic: the next step of a request. The key is the request's id."""
FORGET_CARD_TOPIC = "forget_card"
"""Outbox topic: messages in Slack about a question. Its payload is a `Shown`."""
FORGET_TRACES_TOPIC = "forget_traces"
"""Outbox topic: traces, feedback and examples at the tracker. Its payload is a `Traced`."""
FORGET_FILE_TOPIC = "forget_file"
"""Outbox topic: a file at a provider. `model`: of whose provider; `file`: the id."""
FORGET_MODEL_TOPIC = "forget_model"
"""Outbox topic: a model of the embedded trainer that learned from forgotten rows. `model`: its name."""
FORGET_POST_TOPIC = "forget_post"
"""Outbox topic: files or a list in Slack that show something forgotten. `posted`: the id of the `Posted`."""
FORGET_OLDER_TOPIC = "forget_older"
"""Outbox topic: files in Slack that an earlier version of the bot posted, of which nothing is noted."""
BATCH_FILES_TOPIC = "batch_files"
"""Outbox topic: the files of a batch that ended. `model`: of whose provider; `batch`: the provider's id."""
OUTSIDE_TOPICS = (
    FORGET_CARD_TOPIC,
    FORGET_TRACES_TOPIC,
    FORGET_FILE_TOPIC,
    FORGET_MODEL_TOPIC,
    FORGET_POST_TOPIC,
    FORGET_OLDER_TOPIC,
    BATCH_FILES_TOPIC,
)
"""Topics of copies outside the database. Their keys begin with the request's id and a colon, if there is a request."""
FORGET_REPORT_TOPIC = "forget_report"
"""Outbox topic: the report to who asked. The key is the request's id."""

FORGOTTEN_PREFIX = "forgotten:"
"""Beginning of the id of a person or row that was forgotten; a keyed hash follows."""
OLDER_FILES_CURSOR = "older_files"
"""Cursor: set once the files of earlier versions in Slack are deleted."""
FORGOTTEN_CURSOR = "forgotten"
"""Cursor: moves with each erasure, so that each replica drops what it has in memory."""
ERASED_CURSOR = "erased"
"""Cursor: moves with each step that erases texts, so that nobody stores what was read before it."""


class ForgetKind(StrEnum):
    """The subject of a request. Each kind has texts in each language under `forget.kind.<value>`."""

    MESSAGE = "message"
    """One message, with every question that holds its words. Target: `Place` as `team:channel:ts`."""
    PERSON = "person"
    """A person's questions, and the words and name of that person elsewhere. Target: the user id."""
    OWN = "own"
    """A person's questions, at their own wish. Their work as staff stays. Target: the user id."""
    BEFORE = "before"
    """Every question asked before a time, and every row imported before it. Target: the time in ISO 8601."""
    QUESTIONS = "questions"
    """Retention of questions: as `BEFORE`, but rows stay until their own time is over."""
    ROWS = "rows"
    """Retention of rows, settled or imported before a time."""
    VERDICTS = "verdicts"
    """Retention of reasons and of what people wrote about an answer. Categories and figures stay."""
    EXPORTS = "exports"
    """Retention of training files."""


AGES = frozenset({ForgetKind.BEFORE, ForgetKind.QUESTIONS, ForgetKind.ROWS, ForgetKind.VERDICTS, ForgetKind.EXPORTS})
"""Kinds whose target is a time."""
OF_PEOPLE = frozenset({ForgetKind.PERSON, ForgetKind.OWN})
"""Kinds whose target is a user id."""


class ForgetState(StrEnum):
    """The progress of a request."""

    ERASING = "erasing"
    """The database is being erased."""
    REACHING = "reaching"
    """The database is clean; copies outside of it are being erased."""
    DONE = "done"
    """Everything was looked for again, and what is left is in the report."""


class Scope(Thing):
    """The things that a request is about."""

    kind: ForgetKind
    target: str
    until: datetime | None = None
    """A person's later acts are not meant: forgotten people may go on asking."""

    @property
    def moment(self) -> datetime:
        """The time before which things are forgotten."""
        return datetime.fromisoformat(self.target)

    @property
    def place(self) -> Place:
        team, channel, ts = self.target.split(":")
        return Place(team=team, channel=channel, ts=ts)

    @property
    def rows_too(self) -> bool:
        """Whether the row of a question goes with it."""
        return self.kind is not ForgetKind.QUESTIONS

    @classmethod
    def message(cls, place: Place) -> "Scope":
        """Return the scope of the message at this place."""
        return cls(kind=ForgetKind.MESSAGE, target=place_key(place))

    @classmethod
    def person(cls, user_id: str) -> "Scope":
        return cls(kind=ForgetKind.PERSON, target=user_id)

    @classmethod
    def own(cls, user_id: str) -> "Scope":
        return cls(kind=ForgetKind.OWN, target=user_id)

    @classmethod
    def before(cls, moment: datetime, kind: ForgetKind = ForgetKind.BEFORE) -> "Scope":
        return cls(kind=kind, target=moment.isoformat())


class ForgetRequest(Thing):
    """A request to forget, and its report.

    Attributes:
        counts: Store → how much of it was erased.
        left: Reason → how much could not be erased. The reason is a topic; what Slack said, and in which channel it
            stands, may follow, each after a colon.
        trained: Ids of the fine-tunes that were trained on erased rows.
    """

    id: str
    kind: ForgetKind
    target: str | None
    by: str
    language: str
    state: ForgetState = ForgetState.ERASING
    created_at: datetime
    updated_at: datetime
    counts: Mapping[str, int] = {}
    left: Mapping[str, int] = {}
    trained: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope | None:
        return None if self.target is None else Scope(kind=self.kind, target=self.target, until=self.created_at)


class Shown(Thing):
    """The places that show a question in Slack.

    Attributes:
        question: Its id.
        channel: The channel of the question.
        thread: The ts of its thread.
        card_ts: The ts of its answer; None if it is not known.
        sent: The messages as which it was sent on: (channel, ts).
        alone: Whether no other question was answered in the thread, so that each message of the bot there is about it.
        language: The asker's language.
    """

    question: str
    channel: str
    thread: str
    card_ts: str | None
    sent: tuple[tuple[str, str], ...] = ()
    alone: bool = True
    language: str = "en"


class OlderFiles(Thing):
    """The fate of the files that earlier versions posted in Slack.

    Attributes:
        removed: How many were deleted.
        left: Reason of the report, Slack's word for it and the place, with colons between → how many are left.
    """

    removed: int = 0
    left: Mapping[str, int] = Field(default_factory=dict)


class Posted(Thing):
    """Files or a list that staff asked for, posted in Slack, where they show questions.

    Attributes:
        id: The id of this note.
        channel: The channel of the post.
        language: The language of the list.
        at: The time of the post.
        holds: Ids of the questions and rows that it shows, and of the people whom a file names.
        ts: The ts of the list; None for files, and while it is not known.
        files: Slack's ids of the files.
    """

    id: str
    channel: str
    language: str
    at: datetime
    holds: tuple[str, ...]
    ts: str | None = None
    files: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the place of these files or of this list in Slack is known."""
        return self.ts is not None or bool(self.files)


class Traced(Thing):
    """The tracker's copies of forgotten things: ids of traces, of feedback and of rows."""

    traces: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()


class TrainedFile(Thing):
    """A training file at a provider. `model` names the provider."""

    finetune: str
    model: str
    file: str


class Erased(Thing):
    """The things that one step erased in the database, and the copies outside that are to follow.

    Attributes:
        counts: Store → how much was erased. Empty: nothing is left.
        trained: Ids of the fine-tunes that were trained on erased rows.
        shown: The questions in Slack.
        traced: What the tracker has.
        files: The training files that hold erased rows or open questions.
        followers: Ids of other questions whose cards repeated an erased reason.
        touched: Ids of rows that stay without the name and the words of who settled them.
        posts: Ids of what shows it in files and lists in Slack.
    """

    counts: Mapping[str, int] = {}
    trained: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    traced: Traced = Traced()
    files: tuple[TrainedFile, ...] = ()
    followers: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()


class Retention(Thing):
    """The age at which things are forgotten by themselves, by kind; None: never."""

    questions: timedelta | None = None
    rows: timedelta | None = None
    verdicts: timedelta | None = None
    exports: timedelta | None = None
    audit: timedelta | None = None

    def scopes(self, now: datetime) -> list[Scope]:
        """Return what is too old now, without the audit log."""
        kinds = (ForgetKind.QUESTIONS, ForgetKind.ROWS, ForgetKind.VERDICTS, ForgetKind.EXPORTS)
        ages = ((kind, getattr(self, kind.value)) for kind in kinds)
        return [Scope.before(now - age, kind) for kind, age in ages if age is not None]


def place_key(place: Place) -> str:
    """Return the place of a message as one word."""
    return f"{place.team}:{place.channel}:{place.ts}"


def added(*many: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of counts by name."""
    total: dict[str, int] = {}
    for counts in many:
        for name, n in counts.items():
            total[name] = total.get(name, 0) + n
    return total
