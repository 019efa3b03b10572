"""What the acts need from the outside, as Protocols. Each has one real implementation and is tested through it."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.batch import Batch, BatchJob
from bot.domain.card import Card
from bot.domain.conflict import Conflict
from bot.domain.correction import Correction
from bot.domain.dataset import Manifest, Row, Split
from bot.domain.errors import ModelError, Trouble
from bot.domain.finetune import Finetune, FinetuneState, Job
from bot.domain.mirror import Annotation, Edits, Experiment, ExperimentRow, Feedback, RowCopy, Trace
from bot.domain.prompt import Prompt, PromptEvent
from bot.domain.question import Arrival, Ending, InboxItem, Missed, Notice, Place, Question, Verdict
from bot.domain.release import ModelName, Release, ReleaseEvent, ReleaseState
from bot.domain.replica import Replica
from bot.domain.scorecard import Result
from bot.domain.shadow import Shadow, ShadowComparison
from bot.domain.similar import Example, Neighbour
from bot.domain.thing import Thing


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""


class Meter(Protocol):
    """Counts, times and traces. Nothing that a person or a model wrote may be given to it: ids and names only."""

    def span(self, name: str, **ids: str) -> AbstractContextManager[None]:
        """Trace what happens within the block, under whatever is traced around it."""

    def ended(self, ending: Ending, seconds: float) -> None:
        """An arrival ended, so long after it was received."""

    def acked(self, seconds: float) -> None:
        """Slack got an ack, so long after its delivery came in."""


class Unmetered:
    """The meter where nobody looks: in commands that end by themselves."""

    def span(self, name: str, **ids: str) -> AbstractContextManager[None]:  # noqa: ARG002 - the port's
        return nullcontext()

    def ended(self, ending: Ending, seconds: float) -> None: ...

    def acked(self, seconds: float) -> None: ...


# --- what we remember -------------------------------------------------------------------------------------------------


class Inbox(Protocol):
    """Arrivals, written before Slack gets its ack, worked on by lease."""

    async def add(self, arrival: Arrival, now: datetime) -> bool:
        """Keep an arrival. False where its `event_id` is known already: then nothing changes."""

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> InboxItem | None:
        """The oldest open arrival that nobody holds and that is due, now held for `lease` under a new token."""

    async def finish(self, item: InboxItem, ending: Ending, why: str | None, now: datetime) -> bool:
        """End an arrival and forget its text. False where the lease was lost: then nothing changes."""

    async def postpone(self, item: InboxItem, until: datetime) -> bool:
        """Give an arrival back, not to be claimed before `until`. False where the lease was lost."""

    async def hand_back(self, owner: str, now: datetime) -> int:
        """Give back all that this owner holds, to be claimed at once. How many."""

    async def renew(self, item: InboxItem, until: datetime) -> bool:
        """Hold an arrival until then. False where the lease was lost: then somebody else may be at work on it."""

    async def of(self, place: Place) -> list[tuple[Arrival, Ending | None]]:
        """Every arrival that brought this message or an edit of it, oldest first, and how it ended (None: not yet)."""

    async def knows(self, place: Place) -> bool:
        """Whether an arrival, ended or not, brought this message."""

    async def prune(self, before: datetime, most: int) -> int:
        """Forget those of the `most` oldest arrivals that ended before then; how many."""

    async def open(self) -> int:
        """How many arrivals have not ended."""

    async def depth(self, now: datetime) -> tuple[int, timedelta]:
        """How many arrivals have not ended, and the age of the oldest."""


class Questions(Protocol):
    """Questions, their verdicts and their cards."""

    async def add(self, question: Question) -> bool:
        """Keep a question. False where (team, channel, ts) is known already: then nothing changes."""

    async def get(self, question_id: str, *, lock: bool = False) -> Question | None:
        """`lock`: nobody else gets it with `lock` until this transaction ends."""

    async def at(self, team: str, channel: str, ts: str) -> Question | None:
        """The question that this message is."""

    async def edit(self, question_id: str, text: str, *, cut: bool) -> None: ...

    async def save_card(self, question_id: str, card_ts: str) -> None: ...

    async def add_verdict(self, verdict: Verdict) -> None: ...

    async def verdict(self, question_id: str) -> Verdict | None:
        """The newest one."""

    async def answered(self, verdict_ids: Collection[str]) -> dict[str, tuple[Question, Verdict]]:
        """Those of these verdicts that there are, by id, each with its question; at most 1,000 at once."""

    async def count(self) -> int: ...

    async def settle(self, question_id: str, category: str | None) -> None:
        """Note what holds; None reopens the question."""

    async def open(self, limit: int) -> list[tuple[Question, Verdict]]:
        """Answered questions that nobody has settled, the newest first, each with its newest verdict."""

    async def tokens(self, since: datetime) -> dict[str, tuple[int, int]]:
        """Model name → (tokens in, tokens out) of verdicts, results and shadows since then."""


class Corrections(Protocol):
    """Append-only."""

    async def add(self, correction: Correction) -> None:
        """Raises whatever the database raises where (question, seq) exists: two presses cannot both be number n."""

    async def of(self, question_id: str) -> list[Correction]:
        """Oldest first."""

    async def contested(self) -> dict[tuple[str, str], int]:
        """Pairs of categories (sorted) that one person's and the next person's correction of one question differ in."""


class Rows(Protocol):
    """Dataset rows. A withdrawn row is kept, and is in no list or count."""

    async def put(self, *rows: Row) -> None:
        """Insert, or replace (and bring back) the row of each id; no id twice."""

    async def withdraw(self, row_id: str, now: datetime) -> None: ...

    async def get(self, row_id: str) -> Row | None:
        """None where there is none, or it is withdrawn."""

    async def some(self, row_ids: Collection[str]) -> dict[str, Row]:
        """Those of these ids that `get` finds, by id; at most 1,000 at once."""

    def all(self, split: Split | None = None, category: str | None = None) -> AsyncIterator[Row]:
        """In order of id, read in pages: bounded memory."""

    async def page(self, after: str, limit: int) -> list[Row]:
        """The first rows whose id comes after this one, by id."""

    async def counts(self) -> dict[tuple[str, Split], int]:
        """(category, split) → rows."""

    def changed(self, since: datetime | None) -> AsyncIterator[tuple[Row, bool]]:
        """Every row touched at or after `since` (None: all), oldest first, and whether it counts (is not withdrawn)."""

    async def in_groups(self, groups: Collection[str]) -> list[Row]:
        """By id."""


class Prompts(Protocol):
    """Prompts by the hash of their text."""

    async def put(self, prompt: Prompt) -> None:
        """Insert; for a known id take over owners, guides and whatever else is not part of the text."""

    async def get(self, prompt_id: str) -> Prompt | None: ...

    async def all(self) -> list[Prompt]:
        """By id."""

    async def enter(self, event: PromptEvent) -> None:
        """Write history: the event's prompt is the current one from now on."""

    async def history(self) -> list[PromptEvent]:
        """Newest first."""


class Releases(Protocol):
    """Releases and their append-only history."""

    async def add(self, release: Release, by: str, why: str) -> None:
        """Keep a release and its first history entry."""

    async def get(self, release_id: str) -> Release | None: ...

    async def all(self) -> list[Release]:
        """Newest first."""

    async def serving(self, *, lock: bool = False) -> Release | None:
        """`lock`: nobody else switches until this transaction ends."""

    async def enter(
        self, release_id: str, state: ReleaseState, by: str, why: str, now: datetime, note: str | None = None
    ) -> None:
        """Change a release's state and write history. The database refuses a second serving release."""

    async def shadow(self) -> Release | None:
        """The release in the state `shadow`; `Shadowing` sees that there is one at most."""

    async def set_unsure_below(self, release_id: str, confidence: float | None) -> None:
        """Choose where the release says that it is unsure."""

    async def history(self, limit: int = 100) -> list[ReleaseEvent]:
        """Newest first."""


class Finetunes(Protocol):
    """Fine-tunes and the events that providers told of them."""

    async def add(self, finetune: Finetune) -> None: ...

    async def get(self, finetune_id: str) -> Finetune | None: ...

    async def newest(self, limit: int = 10) -> list[Finetune]:
        """Newest first; planned ones that were never confirmed are not among them."""

    async def under_way(self, *, lock: bool = False) -> list[Finetune]:
        """Those in `finetune.UNDER_WAY`, oldest first; `lock`: nobody else asks so until this transaction ends."""

    async def advance(self, finetune: Finetune, was: FinetuneState) -> bool:
        """Save it if it is still in state `was`. False where somebody else was first: then nothing changes."""

    async def save_rows(self, finetune_id: str, texts: Mapping[str, str]) -> None:
        """Which rows it is trained on: row id → its text as it is trained on."""

    async def trained_rows(self, finetune_id: str) -> dict[str, str | None]:
        """As `save_rows` has them; None where a program of 0001 saved them, which kept no text."""


class Datasets(Protocol):
    """Manifests of frozen dataset versions; their files are on the Shelf as `datasets/<id>.jsonl`."""

    async def put(self, manifest: Manifest, now: datetime) -> None: ...

    async def get(self, dataset_id: str) -> Manifest | None: ...


class Results(Protocol):
    """What releases answered in evaluations, kept so that the same text is not paid for twice."""

    async def put(self, results: Sequence[Result]) -> None:
        """Insert or replace."""

    async def of(self, release_id: str) -> dict[str, Result]:
        """By the key of the text."""


class Shadows(Protocol):
    """What shadow releases would have answered."""

    async def put(self, shadow: Shadow) -> None:
        """Insert or replace."""

    async def get(self, question_id: str, release_id: str) -> Shadow | None: ...

    async def of(self, release_id: str, since: datetime | None = None) -> list[Shadow]:
        """Oldest first."""

    async def compared(self, release_id: str) -> list[ShadowComparison]:
        """Each shadowed question beside its newest verdict and what holds now, the oldest first."""


class Batches(Protocol):
    """Evaluations that a provider answers as a batch; one open batch of a release at most."""

    async def add(self, batch: Batch) -> None:
        """Raises whatever the database raises where the release has an open one."""

    async def get(self, batch_id: str) -> Batch | None: ...

    async def open(self) -> list[Batch]:
        """Those in `batch.OPEN`, oldest first."""

    async def advance(self, batch: Batch, was: Batch) -> bool:
        """Save it if it is still as it `was`. False where somebody else was first: then nothing changes."""


TELLING = "telling"
"""In a payload: the id of what is told, where it is not the entry's own."""


class OutboxItem(Thing):
    """Something that must still be told to the outside, held by lease. `token` fences late workers off."""

    id: int
    topic: str
    key: str
    payload: dict[str, str]
    added_at: datetime
    attempts: int
    token: str

    @property
    def telling(self) -> str:
        """The id of what is told, the same at each try. Numbers alone come again once the outbox was empty (SQLite)."""
        return self.payload.get(TELLING, f"{self.id}@{self.added_at.isoformat()}")


class OutboxEntry(Thing):
    """An entry as it stands there; whoever reads a topic as a whole holds a lease of that topic's own."""

    id: int
    key: str
    payload: dict[str, str]
    added_at: datetime


class Outbox(Protocol):
    """What must reach the outside, at least once; entries of one topic and key in the order they were added."""

    async def add(
        self, topic: str, key: str, payload: dict[str, str], now: datetime, *, due: datetime | None = None
    ) -> None:
        """`due`: not to be claimed before; default at once."""

    async def claim(
        self, owner: str, now: datetime, lease: timedelta, topics: Collection[str] | None = None
    ) -> OutboxItem | None:
        """The oldest due entry that nobody holds and that has no older open entry of the same topic and key.

        `topics`: only entries of these; None: of any.
        """

    async def hand_back(self, owner: str, now: datetime) -> int:
        """Give back all that this owner holds, to be claimed at once. How many."""

    async def renew(self, item: OutboxItem, until: datetime) -> bool:
        """Hold it until then. False where the lease was lost: then somebody else may be at work on it."""

    async def done(self, item: OutboxItem) -> bool:
        """Remove it. False where the lease was lost: then nothing changes."""

    async def retry(self, item: OutboxItem, until: datetime, error: str) -> bool:
        """Give it back, not to be claimed before `until`. False where the lease was lost: then nothing changes."""

    async def add_all(self, topic: str, many: Sequence[tuple[str, dict[str, str], datetime]]) -> None:
        """Add (key, payload, when) in this order."""

    async def page(self, topic: str, after: int, limit: int) -> list[OutboxEntry]:
        """The first entries of a topic whose id is greater than `after`, by id: to be sent many at once."""

    async def remove(self, ids: Collection[int]) -> None:
        """Those of `page` that were told; at most 10,000 at once."""

    async def lag(self, now: datetime, topic: str | None = None) -> tuple[int, timedelta]:
        """How many entries of this topic are open, and the age of the oldest; None: of all but the mirror's."""


class HeldLease(Thing):
    """A lease that somebody holds, or held."""

    name: str
    holder: str
    until: datetime


class Leases(Protocol):
    """What one replica at a time may do, by name."""

    async def acquire(self, name: str, holder: str, now: datetime, lease: timedelta) -> str | None:
        """A token where the lease is free, ran out, or is this holder's already; None where another one holds it."""

    async def release(self, name: str, token: str) -> None:
        """Free it; nothing happens where the lease was lost."""

    async def all(self) -> list[HeldLease]:
        """By name."""


class Replicas(Protocol):
    """Which copies of this program are alive."""

    async def beat(self, replica: Replica) -> None:
        """Insert or replace."""

    async def leave(self, replica_id: str) -> None: ...

    async def forget(self, before: datetime) -> None:
        """Those that were last seen before."""

    async def seen(self, since: datetime) -> list[Replica]:
        """The one that started first comes first."""


class Cursors(Protocol):
    """How far something was read: a channel's history, another system's changes."""

    async def get(self, name: str) -> str | None: ...

    async def move(self, name: str, position: str, now: datetime) -> None: ...

    async def advance(self, name: str, was: str, position: str, now: datetime) -> bool:
        """Move it if it still stands where it `was`. False where somebody else was first: then nothing changes."""


class Transaction(Protocol):
    """One unit of work: all of it holds, or nothing of it."""

    inbox: Inbox
    questions: Questions
    corrections: Corrections
    rows: Rows
    prompts: Prompts
    releases: Releases
    finetunes: Finetunes
    datasets: Datasets
    results: Results
    shadows: Shadows
    batches: Batches
    outbox: Outbox
    leases: Leases
    replicas: Replicas
    cursors: Cursors


class Store(Protocol):
    """The record."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Commits at the end of the block, rolls back where it raises. Do not talk to the outside within one."""

    def snapshot(self) -> AbstractAsyncContextManager[Transaction]:
        """What was committed at one moment, to be read only. For long readings: nobody who writes waits for it."""


class Shelf(Protocol):
    """Files by name, shared by all replicas: exports and trained artifacts."""

    async def put(self, name: str, data: bytes) -> None:
        """Write or replace, all or nothing."""

    async def get(self, name: str) -> bytes:
        """Raises KeyError where there is none."""

    async def delete(self, name: str) -> bool:
        """Whether there was one."""

    async def names(self, prefix: str) -> list[str]:
        """Sorted."""


# --- the model side ---------------------------------------------------------------------------------------------------


class Answer(Thing):
    """A model's answer. `category` is the id of one of the prompt's categories, never anything else."""

    category: str
    reason: str
    confidence: float | None
    tokens_in: int
    tokens_out: int


class Model(Protocol):
    """Classifies."""

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        """What the model answers; `examples` are shown to it as earlier questions with their answers (recall).

        Raises:
            ModelDown, ModelRefused.
        """

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """A reason that argues for this category (an id): the model may answer no other one.

        Raises:
            ModelDown, ModelRefused.
        """


class Neighbours(Protocol):
    """Settled rows by likeness, without the model. What was settled in this process is found at once.

    Its questions open a transaction of their own: ask none of them within one.
    """

    async def near(self, text: str) -> list[Neighbour]:
        """Rows that are nearly the same text (`similarity` at least `similar.NEAR`), the nearest first."""

    async def nearest(self, text: str, k: int, *, without: Collection[str] = ()) -> list[Neighbour]:
        """The `k` most alike rows to train on, none of a group in `without`, the nearest first.

        Of rows with the same text the newest; none of a group in conflict.
        """

    async def groups(self, texts: Sequence[str]) -> list[str]:
        """The group that each text joins: that of its nearest near-copy, withdrawn rows included, else its own.

        In this order, as if each were a row already when the next one comes.
        """

    async def conflicts(self) -> list[Conflict]:
        """Conflicts among all rows that count, by key."""

    async def cluster(self, group: str) -> list[str]:
        """The groups that hang together with this one (`conflict.Clusters`), itself among them, in order."""

    async def contested(self, rows: Sequence[Row]) -> set[str]:
        """The groups that are in conflict where these rows are all that count, whatever changed meanwhile."""

    def pairs(self, these: Sequence[str], those: Sequence[str]) -> list[tuple[int, int]]:
        """Every (i, j) where `these[i]` and `those[j]` are nearly the same text."""


class Trainer(Protocol):
    """Trains at a provider. Creations are sent once, never retried."""

    async def upload(self, student: ModelName, name: str, data: bytes) -> str:
        """The provider's file id. A training file may be uploaded again; raises ModelDown or ModelRefused."""

    async def create(self, student: ModelName, file_id: str, finetune_id: str, suffix: str) -> Job:
        """Start the paid job, with `finetune_id` in its metadata, in exactly one request.

        Raises:
            ModelRefused: the provider said no; there is no job.
            OutcomeUnknown: there may be a job; look for it with `find`.
        """

    async def find(self, student: ModelName, finetune_id: str) -> Job | None:
        """The job whose metadata holds this id; raises ModelDown or ModelRefused."""

    async def job(self, student: ModelName, job_id: str) -> Job:
        """As it stands, with its newest event; raises ModelDown or ModelRefused."""

    async def cancel(self, student: ModelName, job_id: str) -> Job:
        """Raises ModelDown or ModelRefused."""


class Batcher(Protocol):
    """Asks many questions together, cheaper and within a day. Creations are sent once, never retried."""

    async def check(self, model: ModelName) -> None:
        """Raises Refused NO_BATCHES where its provider has no such thing; ModelDown, ModelRefused."""

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        """The provider's id of a new batch of (key, text, examples), with `run_id` in its metadata.

        Raises:
            Refused: BATCH_TOO_LARGE.
            ModelDown, ModelRefused: there is no batch.
            OutcomeUnknown: there may be one; look for it with `find`.
        """

    async def find(self, model: ModelName, run_id: str) -> str | None:
        """The batch whose metadata holds this id; raises ModelDown or ModelRefused."""

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        """As it stands; raises ModelDown or ModelRefused."""

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        """What came of each question, by key; of some there may be nothing. Raises ModelDown or ModelRefused."""


class Estimator(Protocol):
    """Counts tokens and prices, offline."""

    def tokens(self, data: bytes) -> int:
        """Tokens of a training file as a provider bills one epoch of it."""

    def words(self, text: str) -> int:
        """Tokens of a text by itself."""

    def price(self, student: ModelName, tokens: int) -> tuple[float | None, str | None]:
        """US dollars for so many trained tokens, and the date of the price; None where none is known."""

    def cost(self, model: ModelName, tokens_in: int, tokens_out: int) -> float | None:
        """US dollars for answers of so many tokens; None where no price is known."""


# --- the tracker ------------------------------------------------------------------------------------------------------


class Tracker(Protocol):
    """Where teams look at traces, rows and evaluations. It gets copies, and what its people change comes back.

    Each verb tells the outcome: what returns was taken, and may be sent again without harm. The ids are ours, so that
    the same thing is never there twice. None of them waits longer than a bounded time.

    Raises:
        TrackerDown: any of them; nothing or a part of it was taken.
        TrackerRefused: any of them; DATASET_GONE only those that name a dataset.
    """

    async def check(self) -> None:
        """Whether it is there and lets us in: for status and doctor."""

    async def dataset(self) -> str:
        """The id of our dataset there, made where there is none. Keep it: another one is empty and must be filled."""

    async def trace(self, traces: Sequence[Trace]) -> None:
        """Show classifications; at most 1,000 at once."""

    async def say(self, feedback: Feedback) -> None:
        """Show a correction on its trace, in the place of the one before. Raises UNKNOWN_TRACE too."""

    async def put_rows(self, dataset: str, rows: Sequence[RowCopy]) -> None:
        """Show rows as they are now, each once; at most 1,000 at once.

        One that a person changed over there after it was settled stays as they left it: `edits` tells of it.
        """

    async def withdraw_rows(self, dataset: str, row_ids: Sequence[str], *, erase: bool = False) -> None:
        """Take rows out of the dataset, at most 1,000 at once. Those that are not there are no error.

        `erase`: out of its older versions as well, for ever.
        """

    async def freeze(self, dataset: str, tag: str, row_ids: Sequence[str]) -> None:
        """Name the dataset as it is now `tag`, and these of its rows too. What is named so already stays as it is."""

    async def experiment(self, experiment: Experiment, tried: Sequence[ExperimentRow]) -> None:
        """Show rows of an evaluation, at most 1,000 at once; again with others until all are there."""

    async def conclude(self, experiment: Experiment, figures: Mapping[str, float]) -> None:
        """The experiment is complete, and these are its figures by name."""

    async def edits(self, dataset: str, since: datetime | None) -> Edits:
        """What people changed in our rows, or added of our traces, after this moment (None: ever)."""

    async def annotations(self, since: datetime | None) -> list[Annotation]:
        """What people said there of our traces, at or after this moment (None: ever), the oldest first."""


# --- people -----------------------------------------------------------------------------------------------------------


class History(Protocol):
    """What was said in the watched channels, as the outside keeps it."""

    def asked(self, channel: str, since: datetime, until: datetime) -> AsyncIterator[tuple[datetime, Arrival]]:
        """The messages of a channel that ask us something, each with when it was said; in any order."""


class Announcer(Protocol):
    """Tells people in Slack. Every verb raises `Undelivered` where Slack did not take the message.

    `again`: an earlier try, or a worker that slept through its lease, may have posted it. Then it is looked for first,
    and where it stands twice after all, the earliest stays.
    """

    async def post_card(self, card: Card, *, again: bool) -> str:
        """Post a question's one visible answer in its thread; its ts."""

    async def update_card(self, card: Card) -> None:
        """Make the posted card show what holds now. A card that was deleted in Slack is left alone."""

    async def announce_owner(self, card: Card, *, telling: str, again: bool) -> None:
        """Mention in the question's thread who owns it now.

        Args:
            card: what was settled, and who owns that.
            telling: an id of the correction that made it theirs.
            again: an earlier try may have told it.
        """

    async def post_notice(self, arrival: Arrival, notice: Notice, *, again: bool) -> None:
        """Tell the asker, in the thread, why there is no answer. An outsider is told in private."""

    async def posted_card(self, question: Question) -> str | None:
        """The ts of the question's card, if it stands in Slack: an earlier try may have posted it."""

    async def keep_one(self, place: Place, event_id: str, question: Question | None) -> None:
        """Delete every copy but one of a question's card and of an arrival's notice, after a worker overslept.

        The card whose ts is known is kept, else the earliest.
        """

    async def tell_trouble(
        self, model: ModelName, trouble: Trouble, fallback: ModelName | None, *, telling: str, again: bool
    ) -> None:
        """Tell the ops channel, where there is one, what is wrong with a model's provider, and what to do.

        Args:
            model: what gave no answer.
            trouble: why.
            fallback: what answers instead; None: nothing does, and the askers are told.
            telling: an id of this telling.
            again: an earlier try may have told it.
        """

    async def show_finetune(self, finetune: Finetune, *, again: bool) -> tuple[str, str]:
        """Post or update the message that shows a fine-tune's progress; its (channel, ts)."""

    async def announce_finetune(self, finetune: Finetune, *, again: bool) -> None:
        """Tell who asked for it, and the ops channel, that it ended, and how."""

    async def post_missed(self, missed: Missed, *, telling: str, again: bool) -> None:
        """Tell staff, with links, which questions they have to look at themselves. `telling`: an id of this list."""

    async def announce_switch(
        self, release: Release, by: str, note: str | None = None, *, telling: str, again: bool
    ) -> None:
        """Tell the ops channel, where there is one, what serves now.

        Args:
            release: what serves.
            by: who switched.
            note: why, though the gate did not pass it.
            telling: an id of this switch, for a release may be switched to more than once.
            again: an earlier try may have told it.
        """
