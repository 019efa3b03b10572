"""The database: one repository per kind of data, and the transaction over all of them."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from typing import NamedTuple, Protocol

from bot.domain.audience import Audience
from bot.domain.audit import AuditAct, AuditCheckpoint, AuditEntry
from bot.domain.batch import Batch
from bot.domain.card import CardParts
from bot.domain.correction import Correction
from bot.domain.dataset import Manifest, Row, Split
from bot.domain.digest import AskedWeek, Waiting
from bot.domain.evidence import SettledAnswer, Thousandths
from bot.domain.feedback import AskerFeedback
from bot.domain.finetune import Finetune, FinetuneState
from bot.domain.fold import OutOfFold
from bot.domain.hourly import Hourly
from bot.domain.mark import QueueMark
from bot.domain.prompt import Prompt, PromptEvent
from bot.domain.proposal import Proposal, ProposalState
from bot.domain.question import Arrival, Disclosure, Ending, InboxItem, Place, Question, Verdict
from bot.domain.release import ModelName, Release, ReleaseEvent, ReleaseState
from bot.domain.replica import Replica
from bot.domain.scorecard import Result
from bot.domain.shadow import Shadow, ShadowComparison
from bot.domain.shares import Look, Settlement
from bot.domain.signal import Signal
from bot.domain.tally import BriefRow, Counted, Kind
from bot.domain.thing import Thing
from bot.ports.forgetting import StoredForgetting, StoredPosts
from bot.ports.shelf import Shelf


class Inbox(Protocol):
    """The queue of arrivals. Each is written before Slack gets its ack, and processed by a worker with a lease.

    Methods that take an item return False, and change nothing, if the item's lease was lost.
    """

    async def add(self, arrival: Arrival, now: datetime) -> bool:
        """Add an arrival. Return False, and change nothing, if its `event_id` is known or its message was forgotten."""

    async def add_claimed(self, arrival: Arrival, owner: str, now: datetime, lease: timedelta) -> InboxItem | None:
        """Add an arrival as `add` does, leased by this owner as by `claim`; None where `add` returns False."""

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> InboxItem | None:
        """Lease the oldest open, due and unclaimed arrival for `lease`, under a new token; None if there is none."""

    async def finish(self, item: InboxItem, ending: Ending, why: str | None, now: datetime) -> bool:
        """End an arrival and delete its text."""

    async def postpone(self, item: InboxItem, until: datetime) -> bool:
        """Return an arrival to the queue; it cannot be claimed before `until`."""

    async def hand_back(self, owner: str, now: datetime) -> int:
        """Return all arrivals that this owner holds, to be claimed at once; return their number."""

    async def renew(self, item: InboxItem, until: datetime) -> bool:
        """Extend the lease to `until`. False means that another worker may be processing the arrival."""

    async def of(self, place: Place) -> list[tuple[Arrival, Ending | None]]:
        """Return every arrival that brought this message or an edit of it, oldest first, and how it ended.

        The ending is None while the arrival is open.
        """

    async def knows(self, place: Place) -> bool:
        """Return whether an arrival, ended or not, brought this message, or whether it was forgotten."""

    async def prune(self, before: datetime, most: int) -> int:
        """Among the `most` oldest arrivals, delete those that ended before `before`; return their number."""

    async def open(self) -> int:
        """Return the number of open arrivals."""

    async def limited(self, since: datetime) -> int:
        """Return how many arrivals were beyond the limit per hour and ended at or after `since`."""

    async def depth(self, now: datetime) -> tuple[int, timedelta]:
        """Return the number of open arrivals and the age of the oldest (zero if there is none)."""


class Questions(Protocol):
    """Questions, their verdicts and their cards."""

    async def add(self, question: Question) -> bool:
        """Add a question. Return False, and change nothing, if its (team, channel, ts) is already known.

        The second question of a message shares these with the first, and is known if there is a second one already.
        """

    async def put_second(self, question: Question) -> None:
        """Add the second question of a message, or replace the text of the one that is there, dropped or not."""

    async def second(self, question: Question) -> Question | None:
        """Return the second question of this one's message; None if it asks only one."""

    async def drop_second(self, question: Question) -> None:
        """Forget the words of the message's second question, and leave it out of everything from now on."""

    async def get(self, question_id: str, *, lock: bool = False) -> Question | None:
        """Return the question. With `lock`, other callers with `lock` wait until this transaction ends."""

    async def texts(self, question_ids: Collection[str]) -> dict[str, str]:
        """Return the texts of the existing ones of these questions, by id; at most 1,000 at once."""

    async def at(self, team: str, channel: str, ts: str) -> Question | None:
        """Return the question that this message asked."""

    async def of_message(self, team: str, channel: str, ts: str) -> Question | None:
        """Return the question that this message asked, or whose card this message is."""

    async def asked_by(self, asker: str, question_ids: Collection[str]) -> set[str]:
        """Return those of these questions that the person asked; at most 1,000 at once."""

    async def edit(self, question: Question) -> None:
        """Store the question's text, what was not read of it, and its authors."""

    async def disclose(self, question_id: str, disclosure: Disclosure, now: datetime) -> None:
        """Store what the asker of a direct message decided."""

    async def save_sent(self, question_id: str, channel: str, ts: str) -> None:
        """Store where a direct message was posted that its asker sent on; a known place changes nothing."""

    async def sent_as(self, channel: str, ts: str) -> Question | None:
        """Return the direct message that was sent on as this message."""

    async def save_card(self, question_id: str, card_ts: str) -> None: ...

    async def hide(self, question_id: str) -> None:
        """Treat the question from now on as a direct message that its asker has not sent."""

    async def add_verdict(self, verdict: Verdict) -> None: ...

    async def verdict(self, question_id: str) -> Verdict | None:
        """Return the question's newest verdict."""

    async def answered(self, verdict_ids: Collection[str]) -> dict[str, tuple[Question, Verdict]]:
        """Return the existing ones of these verdicts, by id, each with its question; at most 1,000 at once."""

    async def count(self) -> int: ...

    async def settle(self, question_id: str, category: str | None) -> None:
        """Store the settled category; None reopens the question. A settled question is no longer set aside."""

    async def set_aside(self, question_id: str, *, aside: bool) -> None:
        """Store whether staff said last that this is no question. `open` and `waiting` leave such questions out."""

    async def waiting(self, limit: int) -> list[Question]:
        """Return the questions that `open` returns, without their verdicts."""

    async def open(self, limit: int) -> list[tuple[Question, Verdict]]:
        """Return answered questions that nobody has settled, each with its newest verdict.

        First come those whose askers were not helped, then the others; in both, the newest first. A question that
        memory answered is left out while the row that its verdict repeats still stands, unless its asker waits. So is
        a direct message that was not sent.
        """

    async def last_of(self, asker: str, n: int) -> list[Question]:
        """Return the last `n` questions that this person asked, newest first."""

    async def tokens(self, since: datetime, *, live: bool = False) -> dict[str, tuple[int, int]]:
        """Return model name → (tokens in, tokens out) of all verdicts, results and shadows since then.

        With `live`, only verdicts count.
        """

    async def count_by_confidence(self) -> dict[str, dict[Thousandths, int]]:
        """Count the questions by the release of their newest verdict, if it is not from memory, and by its confidence.

        Reads all verdicts: seconds for a million.
        """

    async def answers(self, since: datetime) -> tuple[int, int]:
        """Return how many questions got their newest verdict since then: from memory, and from a model."""


class Cards(Protocol):
    """The parts of questions' cards."""

    async def parts(self, question: Question) -> CardParts | None:
        """Return the newest of everything in one statement; None if the question has no verdict."""


class Corrections(Protocol):
    """Corrections; append-only."""

    async def add(self, correction: Correction) -> None:
        """Append a correction. Two presses cannot both become number n.

        Raises:
            Exception: The database's own error, if this (question, seq) exists.
        """

    async def of(self, question_id: str) -> list[Correction]:
        """Return the question's corrections, oldest first."""

    async def by(self, person: str, since: datetime) -> list[Correction]:
        """Return what this person corrected at or after `since`, in any order."""

    async def standing(self, person: str, since: datetime) -> list[str]:
        """Return the questions whose settlement in force this person made at or after `since`, in order of id."""

    async def taken_back(self, person: str, at: datetime) -> list[str]:
        """Return the questions whose newest correction takes back, at this very time, what this person settled."""

    async def seconded(self) -> int:
        """Return how many held-out rows have the category that at least two people chose."""

    async def judged(self, since: datetime) -> list[tuple[datetime, bool]]:
        """Return when each question was settled at or after `since`, and whether the answer was right.

        Answers from memory are left out: they say nothing about a version.
        """

    async def settled_answers(self) -> dict[str, SettledAnswer]:
        """Return question id → the live answer that staff settled, for every settled question."""

    async def counted(self, since: datetime, until: datetime) -> dict[str, dict[str, int]]:
        """Return person → kind of correction → how many were made from `since` on and before `until`."""

    async def contested(self) -> dict[tuple[str, str], int]:
        """Return how often two people disagreed: (category, category), sorted → number of times.

        One disagreement is two consecutive corrections of a question, by different people, with different categories.
        """


class StoredFeedback(Protocol):
    """Askers' feedback on answers; append-only."""

    async def add(self, said: AskerFeedback) -> None:
        """Append feedback.

        Raises:
            Exception: The database's own error, if this (question, seq) exists.
        """

    async def of(self, question_id: str) -> list[AskerFeedback]:
        """Return the question's feedback, oldest first."""

    async def newest(self, question_ids: Collection[str]) -> dict[str, AskerFeedback]:
        """Return the newest feedback of those of these questions that have any; at most 1,000 at once."""


class StoredSignals(Protocol):
    """Owners' reactions to questions and cards."""

    async def put(self, signal: Signal) -> bool:
        """Upsert a signal; return False, and change nothing, if the stored one is as new or newer.

        The caller holds the question's lock.
        """

    async def of(self, question_id: str) -> list[Signal]:
        """Return the question's signals, withdrawn ones too, oldest first."""


class StoredMarks(Protocol):
    """Marks of the review queue; append-only."""

    async def add(self, mark: QueueMark) -> None: ...

    async def of(self, by: str, since: datetime) -> list[QueueMark]:
        """Return this person's marks at or after `since`, oldest first."""

    async def skipped(self, by: str) -> dict[str, datetime]:
        """Return what this person skips: key → since when, the oldest skip first."""


class Rows(Protocol):
    """Dataset rows. A withdrawn row is kept, but only `changed` returns it.

    A row of a direct message that its asker has not sent (`Question.unsent`) is treated like a withdrawn one.
    """

    async def put(self, *rows: Row) -> None:
        """Upsert rows; a withdrawn one is restored. No id may occur twice."""

    async def withdraw(self, row_id: str, now: datetime) -> None: ...

    async def get(self, row_id: str, *, lock: bool = False) -> Row | None:
        """Return the row; None if it does not exist or is withdrawn.

        With `lock`, nobody else can change or forget the row until the transaction ends. So lock a row that will be
        stored again, else a forgotten text could come back. Lock its question before.
        """

    async def some(self, row_ids: Collection[str], *, lock: bool = False) -> dict[str, Row]:
        """Return, by id, the rows that `get` would find; at most 1,000 at once."""

    def all(self, split: Split | None = None, category: str | None = None) -> AsyncIterator[Row]:
        """Yield rows in order of id, read in pages so that memory is bounded."""

    def by_group(self) -> AsyncIterator[list[Row]]:
        """Yield all rows in order of group, then id, in pages. A transaction that writes cannot read so many."""

    async def page(self, after: str, limit: int) -> list[Row]:
        """Return the first `limit` rows whose id is greater than `after`, in order of id."""

    async def private(self) -> int:
        """Return the number of rows that are not surely public."""

    async def hold_private(self, row_ids: Collection[str]) -> bool:
        """Return whether one of these rows is not surely public, be it withdrawn or never sent."""

    async def settled_anew(self, person: str, since: datetime) -> list[str]:
        """Return the ids of rows without a question (imported ones) that this person settled at or after `since`."""

    async def withdraw_anew(self, person: str, since: datetime, at: datetime, now: datetime) -> list[str]:
        """Withdraw what `settled_anew` finds, and return the ids.

        Args:
            person: The person who settled them.
            since: Rows that were settled earlier stay.
            at: The time that is stored with them; `restore_anew` finds them by it.
            now: The present time.
        """

    async def restore_anew(self, person: str, at: datetime, now: datetime) -> list[str]:
        """Restore the rows that `withdraw_anew` withdrew with this `at`, and return the ids."""

    async def restore(self, row_id: str, now: datetime) -> None:
        """Undo the withdrawal of a row, which stays as it was."""

    async def counts(self) -> dict[tuple[str, Split], int]:
        """Return (category, split) → number of rows."""

    async def kinds(self, finetune: Finetune | None) -> dict[Kind, int]:
        """Count the rows by their kind. `Counted.learned` is true if this fine-tune was trained on the row as it is."""

    async def settled_days(self) -> dict[str, dict[date, int]]:
        """Return person → day (UTC) → number of rows that this person settled and that no admin left out."""

    async def settlements(self, person: str) -> list[Settlement]:
        """Return the rows that this person settled and that no admin left out."""

    async def left_out(self) -> frozenset[str]:
        """Return the ids of the rows that an admin left out in their present form."""

    async def untrusted(self, some: Collection[Row]) -> set[str]:
        """Return the ids of those of these rows that answer nothing, neither repeated nor shown as examples.

        An admin left them out, or one person settled them in a burst that no admin has looked at.
        """

    async def several(self, split: Split, finetune: Finetune | None) -> list[BriefRow]:
        """Return the rows of a split that are not alone in their group, withdrawn rows and the other split included."""

    async def in_groups_counted(
        self, split: Split, groups: Collection[str], finetune: Finetune | None
    ) -> Counter[Counted]:
        """Count the rows of these groups in a split by what they count as."""

    async def settled_since(self, since: datetime | None) -> int:
        """Return the number of rows that people settled after `since` (None: ever); imported rows do not count."""

    async def settled_since_training(self, *, private: bool = True) -> int:
        """Return the same since the newest training was confirmed or proposed.

        Args:
            private: Whether rows that are not public count too.
        """

    async def last_change(self) -> datetime | None:
        """Return when a row was last put or withdrawn; None if there never was a row."""

    def changed(self, since: datetime | None) -> AsyncIterator[tuple[Row, bool]]:
        """Yield rows changed at or after `since` (None: all), oldest change first.

        Yields:
            The row, and whether it counts (is neither withdrawn nor of an unsent direct message).
        """

    async def count_changed(self, since: datetime | None) -> int:
        """Return how many rows `changed` yields."""

    def changed_beside(self, known: Mapping[str, datetime], since: datetime) -> AsyncIterator[tuple[Row, bool]]:
        """Yield what `changed` yields, without rows that were not changed since a known time.

        Args:
            known: Id → when the row was changed.
            since: As in `changed`.
        """

    async def in_groups(self, groups: Collection[str]) -> list[Row]:
        """Return the rows of these groups, in order of id."""


class Prompts(Protocol):
    """Prompts, by the hash of their text, and the history of the current one."""

    async def put(self, prompt: Prompt) -> None:
        """Insert a prompt. If the id is known, update owners, guides and anything else outside the text."""

    async def get(self, prompt_id: str) -> Prompt | None: ...

    async def all(self) -> list[Prompt]:
        """Return all prompts, in order of id."""

    async def enter(self, event: PromptEvent) -> None:
        """Append to the history: the event's prompt becomes the current one."""

    async def history(self) -> list[PromptEvent]:
        """Return all events, newest first."""


class Releases(Protocol):
    """Releases and their append-only history."""

    async def add(self, release: Release, by: str, why: str) -> Release:
        """Insert a release and its first history entry, and return it with its version number."""

    async def get(self, release_id: str) -> Release | None: ...

    async def all(self) -> list[Release]:
        """Return all releases, newest first."""

    async def serving(self, *, lock: bool = False) -> Release | None:
        """Return the serving release. With `lock`, nobody else can switch until this transaction ends."""

    async def enter(
        self, release_id: str, state: ReleaseState, by: str, why: str, now: datetime, note: str | None = None
    ) -> None:
        """Change a release's state and append to the history. The database refuses a second serving release."""

    async def shadow(self) -> Release | None:
        """Return the release in the state `shadow`; `Shadowing` makes sure that there is at most one."""

    async def asked(self) -> dict[ReleaseState, tuple[Release, Prompt]]:
        """Return the releases that get each question, the serving one and the shadow, with their prompts, if any."""

    async def set_unsure_below(self, release_id: str, confidence: float | None, revision: str | None) -> None:
        """Set the confidence below which the release counts as unsure, and the revision it was chosen under."""

    async def history(self, limit: int = 100) -> list[ReleaseEvent]:
        """Return the last events, newest first."""


class Finetunes(Protocol):
    """Fine-tunes and the rows they are trained on."""

    async def add(self, finetune: Finetune) -> None: ...

    async def get(self, finetune_id: str) -> Finetune | None: ...

    async def newest(self, limit: int = 10) -> list[Finetune]:
        """Return the last fine-tunes, newest first, without plans that were never confirmed."""

    async def under_way(self, *, lock: bool = False) -> list[Finetune]:
        """Return the fine-tunes in a state of `finetune.UNDER_WAY`, oldest first.

        With `lock`, other callers with `lock` wait until this transaction ends.
        """

    async def advance(self, finetune: Finetune, was: FinetuneState) -> bool:
        """Save the fine-tune if its stored state is still `was`. Otherwise change nothing and return False."""

    async def save_rows(self, finetune_id: str, texts: Mapping[str, str]) -> None:
        """Store the rows of the training file: row id → text at the time of training."""

    async def trained_rows(self, finetune_id: str) -> dict[str, str | None]:
        """Return what `save_rows` stored. The text is None for rows stored by an app older than migration 0002."""

    async def has_forgotten(self, finetune_id: str) -> bool:
        """Return whether a row of the fine-tune was forgotten since `save_rows`."""

    async def that_made(self, model: ModelName) -> list[Finetune]:
        """Return the fine-tunes that produced this model, newest first; usually one or none."""

    async def save_out_of_fold(self, answers: Sequence[OutOfFold]) -> None:
        """Upsert out-of-fold answers."""

    async def out_of_fold(self, finetune_id: str) -> list[OutOfFold]:
        """Return the fine-tune's out-of-fold answers, in order of row id; none if its provider reported none."""


class StoredProposals(Protocol):
    """Proposals; a fine-tune has at most one, and at most one is in each of `asking`, `training` and `open`."""

    async def add(self, proposal: Proposal) -> None:
        """Insert a proposal.

        Raises:
            Exception: The database's own error, if the fine-tune has one, or another one is in this state.
        """

    async def get(self, finetune_id: str) -> Proposal | None: ...

    async def within(self, states: Collection[ProposalState]) -> list[Proposal]:
        """Return the proposals in these states, oldest first."""

    async def advance(self, proposal: Proposal, was: ProposalState) -> bool:
        """Save all but `shown` if the stored state is still `was`. Otherwise change nothing and return False."""

    async def save_shown(self, finetune_id: str, shown: dict[str, str]) -> None:
        """Store which messages show the proposal."""


class Weeks(Protocol):
    """The figures of a week, for the Monday summary. Questions that staff said are none are left out."""

    async def asked(self, since: datetime, until: datetime) -> AskedWeek:
        """Count the answered questions that were asked from `since` on and before `until`."""

    async def waiting(self, since: datetime, until: datetime) -> Waiting | None:
        """Return the oldest public question of that time that nobody has settled, taken up or called solved."""

    async def confused(self, since: datetime, until: datetime) -> tuple[str, str, int] | None:
        """Return the categories that staff corrected into one another most often in that time, and how often.

        Only public questions count. None: no two categories were confused more than once.
        """


class Datasets(Protocol):
    """Manifests of frozen dataset versions; their files are on the Shelf as `datasets/<id>.jsonl`."""

    async def put(self, manifest: Manifest, now: datetime) -> None: ...

    async def get(self, dataset_id: str) -> Manifest | None: ...


class Results(Protocol):
    """Releases' answers in evaluations, stored so that no text is paid for twice."""

    async def put(self, results: Sequence[Result]) -> None:
        """Upsert results. Those of two revisions stand beside each other."""

    async def of(self, release_id: str, revision: str | None) -> dict[str, Result]:
        """Return the release's results of this revision (`Embedded.revision`), by the key of the text."""


class Shadows(Protocol):
    """Shadow releases' answers to live questions."""

    async def put(self, shadow: Shadow) -> None:
        """Upsert a shadow answer."""

    async def get(self, question_id: str, release_id: str) -> Shadow | None: ...

    async def of(self, release_id: str, since: datetime | None = None) -> list[Shadow]:
        """Return the release's answers, oldest first."""

    async def compared(self, release_id: str) -> list[ShadowComparison]:
        """Return each shadowed question with its newest verdict and its settled category, oldest first.

        Verdicts of memory are left out: they say nothing about the serving release.
        """


class Batches(Protocol):
    """Evaluations that a provider answers as a batch. A release has at most one open batch."""

    async def add(self, batch: Batch) -> None:
        """Insert a batch.

        Raises:
            Exception: The database's own error, if the release has an open batch.
        """

    async def get(self, batch_id: str) -> Batch | None: ...

    async def open(self) -> list[Batch]:
        """Return the batches in a state of `batch.OPEN_BATCHES`, oldest first."""

    async def advance(self, batch: Batch, was: Batch) -> bool:
        """Save the batch if the stored one still equals `was`. Otherwise change nothing and return False."""


MESSAGE_ID = "telling"
"""Payload key: the id of the message to deliver, if it is not derived from the entry itself."""


class OutboxItem(Thing):
    """An outbox entry that a worker holds under a lease. `token` fences off workers that lost it."""

    id: int
    topic: str
    key: str
    payload: dict[str, str]
    added_at: datetime
    attempts: int
    token: str

    @property
    def message_id(self) -> str:
        """The id of the message to deliver, the same at every attempt.

        The entry's number alone is not unique: SQLite reuses numbers once the outbox was empty.
        """
        return self.payload.get(MESSAGE_ID, f"{self.id}@{self.added_at.isoformat()}")


class OutboxEntry(Thing):
    """An outbox entry without a lease. The reader of a topic's pages holds one lease for the whole topic."""

    id: int
    key: str
    payload: dict[str, str]
    added_at: datetime


class Outbox(Protocol):
    """The queue of messages to other systems: delivered at least once, in order per topic and key.

    Methods that take an item return False, and change nothing, if the item's lease was lost.
    """

    async def add(
        self, topic: str, key: str, payload: dict[str, str], now: datetime, *, due: datetime | None = None
    ) -> None:
        """Add an entry that cannot be claimed before `due`; the default is at once."""

    async def add_claimed(
        self, topic: str, key: str, payload: dict[str, str], owner: str, now: datetime, lease: timedelta
    ) -> OutboxItem | None:
        """Add an entry that is leased already, as by `claim`; add nothing if its topic and key have an open entry."""

    async def claim(
        self, owner: str, now: datetime, lease: timedelta, topics: Collection[str] | None = None
    ) -> OutboxItem | None:
        """Lease the oldest due and unclaimed entry that has no older open entry of its topic and key.

        Args:
            owner: The worker, for people who look into the database.
            now: The current time.
            lease: How long the entry is held.
            topics: Claim only from these topics; None means any.
        """

    async def hand_back(self, owner: str, now: datetime) -> int:
        """Return all entries that this owner holds, to be claimed at once; return their number."""

    async def renew(self, item: OutboxItem, until: datetime) -> bool:
        """Extend the lease to `until`. False means that another worker may be processing the entry."""

    async def done(self, item: OutboxItem) -> bool:
        """Remove the entry."""

    async def retry(self, item: OutboxItem, until: datetime, error: str) -> bool:
        """Return the entry to the queue; it cannot be claimed before `until`."""

    async def add_all(self, topic: str, many: Sequence[tuple[str, dict[str, str], datetime]]) -> None:
        """Add (key, payload, time) entries in this order."""

    async def page(self, topic: str, after: int, limit: int) -> list[OutboxEntry]:
        """Return the first `limit` entries of a topic whose id is greater than `after`, in order, for a bulk send."""

    async def remove(self, topic: str, entries: Collection[OutboxEntry]) -> None:
        """Remove entries of a `page` that were delivered, at most 10,000 at once."""

    async def lag(self, now: datetime, topic: str | None = None) -> tuple[int, timedelta]:
        """Return the number of open entries of this topic and the age of the oldest (zero if there is none).

        None means all topics but the mirror's.
        """


class HeldLease(Thing):
    """A named lease and its current or last holder."""

    name: str
    holder: str
    until: datetime


class DueWork(NamedTuple):
    """The work that a replica could do now.

    Attributes:
        arrivals: Whether an arrival could be claimed.
        entries: For each queue of outbox entries, whether one could be claimed.
        finetunes: Whether a fine-tune is under way.
    """

    arrivals: bool
    entries: tuple[bool, ...]
    finetunes: bool


class Due(Protocol):
    """All queues at once, so that a replica at rest asks one question instead of one for each queue."""

    async def work(self, now: datetime, queues: Sequence[Collection[str]]) -> DueWork:
        """Return what is due. Each queue of outbox entries is given by its topics."""


class Leases(Protocol):
    """Named leases, for work that only one replica at a time may do."""

    async def acquire(self, name: str, holder: str, now: datetime, lease: timedelta) -> str | None:
        """Return a token if the lease is free, expired or already this holder's; None if another one holds it."""

    async def acquire_all(
        self, names: Collection[str], holder: str, now: datetime, lease: timedelta
    ) -> Mapping[str, str]:
        """Acquire each lease that the holder can get, as `acquire` does. Return their tokens by name."""

    async def release(self, name: str, token: str) -> None:
        """Free the lease; do nothing if it was lost."""

    async def all(self) -> list[HeldLease]:
        """Return all leases, in order of name."""


class Replicas(Protocol):
    """The running copies of the app."""

    async def beat(self, replica_id: str, version: str, started_at: datetime, now: datetime) -> None:
        """Upsert a replica's heartbeat, with the release that serves now."""

    async def leave(self, replica_id: str) -> None: ...

    async def forget(self, before: datetime) -> None:
        """Delete replicas that were last seen before this time."""

    async def seen(self, since: datetime) -> list[Replica]:
        """Return the replicas seen at or after `since`, in the order they started."""


class Cursors(Protocol):
    """Named read positions: in a channel's history, in another system's changes."""

    async def get(self, name: str) -> str | None: ...

    async def starting(self, prefix: str) -> dict[str, str]:
        """Return the positions of all cursors whose names start with a prefix, by name."""

    async def move(self, name: str, position: str, now: datetime) -> None: ...

    async def advance(self, name: str, was: str, position: str, now: datetime) -> bool:
        """Move the cursor if it is still at `was`. Otherwise change nothing and return False."""


class StoredAudiences(Protocol):
    """The audiences of questions and rows that were unknown at their arrival."""

    async def unknown_channels(self, after: str, limit: int) -> list[str]:
        """Return the first `limit` channels, by id, after `after` with questions or rows of unknown audience."""

    async def learn(self, channel: str | None, audience: Audience, most: int, now: datetime) -> int:
        """Store the audience of up to `most` questions and as many rows of a channel whose audience is unknown.

        Args:
            channel: The id; None means rows without a channel, which were imported.
            audience: What Slack says about the channel.
            most: Upper bound per kind.
            now: The time, for the mirror, which is told of what is public.

        Returns:
            The number of changed questions and rows.
        """


class StoredVectors(Protocol):
    """Vectors of texts from embedding models, by model and hash of the text, and the tokens that they cost."""

    async def get(self, model: str, hashes: Collection[str], now: datetime) -> dict[str, bytes]:
        """Return the stored vectors by hash; at most 1,000 at once."""

    async def put(self, model: str, vectors: Mapping[str, bytes], now: datetime) -> None:
        """Upsert vectors, by the hash of their text."""

    async def prune(self, most: int) -> int:
        """Delete the vectors that were not used for the longest time, so that `most` stay; return their number."""

    async def spend(self, model: str, tokens: int, now: datetime) -> None:
        """Add the tokens of a request."""

    async def tokens(self, since: datetime) -> dict[str, int]:
        """Return model name → tokens since the day of `since` (UTC)."""


class IndexParts(Protocol):
    """The kept parts of the similarity index, so that a new process need not build it anew."""

    async def get(self, maker: str) -> dict[str, bytes]:
        """Return the parts by name; none if nothing is kept that this maker made, or if it is damaged.

        Args:
            maker: The name of the code that made them.
        """

    async def put(
        self, maker: str, version: str, pieces: Mapping[tuple[str, int], bytes | memoryview], forgotten: str | None
    ) -> bool:
        """Store a few pieces of parts. Nobody reads them before `finish`.

        Args:
            maker: The name of the code that made the parts.
            version: A name for all of these parts together.
            pieces: The pieces by the name of the part and their number in it.
            forgotten: The position of FORGOTTEN_CURSOR when the rows were read.

        Returns:
            False, and nothing is stored, if something was forgotten meanwhile.
        """

    async def finish(self, maker: str, version: str, count: int, forgotten: str | None) -> bool:
        """Let `get` return the parts that were put.

        Args:
            maker: As in `put`.
            version: As in `put`.
            count: The number of pieces that were put.
            forgotten: As in `put`.

        Returns:
            False, and nothing changes, if something was forgotten or any of the pieces is gone.
        """

    async def drop_older(self, maker: str, version: str) -> bool:
        """Delete a few pieces, whoever made them, that are not of this version; return whether there may be more."""

    async def drop_some(self) -> bool:
        """Delete some pieces, whoever made them; return whether there may be more."""


class Looks(Protocol):
    """Admins' decisions about rows that were set aside."""

    async def put(self, many: Sequence[Look]) -> None:
        """Upsert decisions, by row."""

    async def all(self) -> dict[str, Look]:
        """Return row id → the newest decision."""


class Askers(Protocol):
    """Each person's recent questions, for the limit of questions per hour."""

    async def lately(self, person: str, *, lock: bool = False) -> Hourly:
        """Return a person's recent questions. With `lock`, others with `lock` wait until the transaction ends."""

    async def put(self, person: str, lately: Hourly, now: datetime) -> None:
        """Upsert a person's recent questions."""

    async def prune(self, before: datetime) -> None:
        """Delete everything of people who asked nothing since then."""


class AuditLog(Protocol):
    """The audited acts, append-only, as a chain of hashes."""

    async def add(
        self, who: str, act: AuditAct, now: datetime, thing: str = "", facts: Mapping[str, str | int] | None = None
    ) -> None:
        """Append an entry. Call it last in a transaction: it locks the log until the end of that transaction.

        Args:
            who: A person's user id, stored as an alias; OPERATOR or SYSTEM stay as they are.
            act: What was done.
            now: The time.
            thing: The name or id of what it was done to.
            facts: Counts and names; never a text of a question.
        """

    async def alias(self, person: str) -> str:
        """Return the alias under which a person stands in the log; a new one for whoever is not in it."""

    async def last(self, most: int) -> list[AuditEntry]:
        """Return the newest entries, newest first."""

    async def after(self, seq: int, most: int) -> list[AuditEntry]:
        """Return the entries that follow this number, oldest first."""

    async def people(self) -> dict[str, str]:
        """Return alias → user id, for the people that are still known."""

    async def retire(self, before: datetime, now: datetime) -> AuditCheckpoint | None:
        """Replace all entries before this time by a signed checkpoint, and note that; None if there are none."""

    async def checkpoint(self) -> tuple[AuditCheckpoint | None, bool]:
        """Return the checkpoint before the oldest entry, if there is one, and whether its signature holds."""


class Transaction(Protocol):
    """One atomic unit of work over all repositories."""

    inbox: Inbox
    questions: Questions
    cards: Cards
    corrections: Corrections
    feedback: StoredFeedback
    signals: StoredSignals
    marks: StoredMarks
    rows: Rows
    prompts: Prompts
    releases: Releases
    finetunes: Finetunes
    proposals: StoredProposals
    weeks: Weeks
    datasets: Datasets
    shelf: Shelf
    results: Results
    shadows: Shadows
    batches: Batches
    outbox: Outbox
    due: Due
    leases: Leases
    replicas: Replicas
    cursors: Cursors
    audiences: StoredAudiences
    vectors: StoredVectors
    audit: AuditLog
    askers: Askers
    forgetting: StoredForgetting
    posts: StoredPosts
    looks: Looks
    index_parts: IndexParts


class Store(Protocol):
    """The database, the record of everything."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: commit at the end of the block, roll back if it raises.

        Do not call other systems inside one.
        """

    def snapshot(self, *, patient: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Open a read-only view of one moment, for long reads. Writers never wait for it.

        Args:
            patient: Whether the reader may pause for minutes, because it waits for others in between.
        """

    async def scrub(self) -> bool:
        """Remove what was deleted from the database's own files.

        Returns:
            False if the files are in use just now; call again later.
        """
