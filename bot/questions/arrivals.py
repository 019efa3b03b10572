"""The arrivals that workers answer: held by lease, retried, ended with one log line, and deleted later."""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.domain import consent, intake
from bot.domain.consent import Author
from bot.domain.hourly import REMEMBERED_FOR, LimitRefusal
from bot.domain.privacy import PRIVACY_TOPIC, TOLD
from bot.domain.question import Arrival, ArrivalKind, Ending, InboxItem, Question, Verdict, Via
from bot.ports import Clock, Meter, Store, Transaction
from bot.questions.batched_writes import SharedTransactions
from bot.questions.leasing import LeasedInbox, RetryDelay

log = logging.getLogger(__name__)

QUESTION_IDS = uuid.UUID("7f1f0d3e-7e43-4f5b-9b38-6c1f8f5f5c1a")
ANSWER_LEASE = timedelta(seconds=90)
"""Lease of an arrival: longer than a release's slowest answer (45 s + 20 s for its confidence) and than a card's post.

A worker renews its lease before it asks the fallback release and before each post, so a live worker never loses it.
"""
FIRST_ANSWER_WAIT = timedelta(seconds=3)
"""Delay before the second try; each further delay is three times as long, so the asker hears within a minute or so."""
LONGEST_ANSWER_WAIT = timedelta(minutes=1)
"""Longest delay between two tries. While Slack accepts nothing, the tries go on."""
QUESTIONS_PER_TRANSACTION = 16
"""Upper bound for steps of questions that share a transaction: other replicas wait for its locks."""
KEPT_FOR = timedelta(days=31)
"""How long an ended arrival is kept. Nothing looks back further: Slack redelivers an event within minutes, and catching
up reads 30 days."""
PRUNED_PER_TRANSACTION = 500
"""Upper bound per transaction, because other writers wait for it."""
MOST_VECTORS = 50_000
"""Number of texts whose vectors are kept: about 150 MB with 1,536 dimensions."""
POSTED_LATE_TOPIC = "overslept"
"""Outbox topic: a worker lost an arrival's lease while it posted, so its message may be in Slack twice.

The value is stored in databases, so it cannot be renamed.
"""

REMIND_TOPIC = "remind"
"""Outbox topic: a reminder of a question that nobody may have taken up. The key is the question's id."""
CONSENT_TOPIC = "consent"
"""Outbox topic: a private question to an author of a question's words (`Consenting`)."""
SENT_TOPIC = "sent"
"""Outbox topic: a direct message on its way to the people responsible. `category`: the one that its asker chose."""
REPLY_TOPIC = "reply"
"""Outbox topic: a reply to a sent message, on its way to the asker. `channel`, `thread_ts`, `ts`: where it stands."""

_MASKING = ThreadPoolExecutor(1, thread_name_prefix="masking")
"""A single thread: several would take the interpreter's lock from the event loop more often."""


class CardedQuestion(NamedTuple):
    """A question whose card was just posted."""

    question: Question
    verdict: Verdict | None
    ts: str
    """The ts of the card."""
    shadowed: bool
    """Whether a shadow gets the question, too."""


class Arrivals(LeasedInbox):
    """The arrivals that one worker claims, and the ways to retry or end them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        meter: Meter,
        remind_after: timedelta | None = None,
        *,
        tell_askers: bool = False,
    ) -> None:
        self._tell_askers = tell_askers
        delay = RetryDelay(FIRST_ANSWER_WAIT, LONGEST_ANSWER_WAIT, factor=3)
        super().__init__(
            store,
            clock,
            ANSWER_LEASE,
            delay,
            span=lambda item: meter.span("question", question=question_id(item.arrival)),
        )
        self._meter = meter
        self._remind_after = remind_after
        self.shared = SharedTransactions(store, QUESTIONS_PER_TRANSACTION)
        self._ending = 0
        """Workers that are about to be free."""
        self._told: set[str] = set()
        """Askers who have their notice, as `tell_once` names them: most questions are not an asker's first."""

    async def add(self, arrivals: Sequence[Arrival], waiting: int | None) -> list[bool]:
        """Store arrivals in one transaction. Those that a worker of this replica can take now are stored claimed.

        Args:
            arrivals: The arrivals, masked.
            waiting: The number of workers that wait for an arrival; None claims nothing.

        Returns:
            For each arrival, False if it is already known.
        """
        now, new, claimed = self._clock.now(), list[bool](), list[InboxItem]()
        free = 0 if waiting is None else waiting + self._ending - len(self._handed)
        async with self._store.transaction() as tx:
            for arrival in arrivals:
                if len(claimed) >= free:
                    new.append(await tx.inbox.add(arrival, now))
                elif item := await tx.inbox.add_claimed(arrival, self._owner, now, self._lease):
                    claimed.append(item)
                    new.append(True)
                else:
                    new.append(False)
        self._handed.extend(claimed)
        return new

    async def try_later(self, item: InboxItem) -> None:
        """Return the arrival to the queue until its backoff is over."""
        async with self._store.transaction() as tx:
            if not await self.retry(tx, item):
                await self._posted_late(tx, item)

    async def finish(
        self,
        item: InboxItem,
        ending: Ending,
        why: str | None = None,
        *,
        posted: Sequence[CardedQuestion] = (),
        verdict: Verdict | None = None,
    ) -> None:
        """End the arrival and write one log line about it.

        Args:
            item: The arrival.
            ending: How it ends.
            why: The reason for an unusual ending.
            posted: The questions of the card that was just posted.
            verdict: The verdict to be logged.
        """
        self._ending += 1
        try:
            await self._finish(item, ending, why, posted, verdict)
        finally:
            self._ending -= 1

    async def _finish(
        self,
        item: InboxItem,
        ending: Ending,
        why: str | None,
        posted: Sequence[CardedQuestion],
        verdict: Verdict | None,
    ) -> None:
        now = self._clock.now()
        told = told_cursor(posted[0].question.asker) if posted and self._tell_askers else None

        async def finish(tx: Transaction) -> bool:
            if not await tx.inbox.finish(item, ending, why, now):
                await self._posted_late(tx, item)
                return False
            for one in posted:
                await self._begin(tx, one, now)
            if told and told not in self._told:
                await tell_once(tx, posted[0].question.asker, now)
            return True

        if not await self.shared.run(finish):
            log.info("%s: lease lost", self.name(item))
            return
        if told:
            self._told.add(told)
        seconds = (now - item.received_at).total_seconds()
        self._meter.ended(ending, seconds)
        known = posted[0].question.id if posted else verdict.question_id if verdict else question_id(item.arrival)
        facts = {
            "question": known,
            "ending": ending.value,
            "why": why,
            "release": verdict and verdict.release_id,
            "memory": verdict is not None and verdict.from_memory,
            "seconds": round(seconds, 3),
            "tries": item.attempts,
        }
        log.info("a question ended", extra=facts)

    async def _begin(self, tx: Transaction, posted: CardedQuestion, now: datetime) -> None:
        """Store the card's ts, and queue what follows an answer."""
        question = posted.question
        await tx.questions.save_card(question.id, posted.ts)
        await ask_shadow(tx, question, posted.verdict, now, shadowed=posted.shadowed)
        await ask_authors(tx, question, now)
        if self._remind_after and not question.direct:
            await tx.outbox.add(REMIND_TOPIC, question.id, {}, now, due=now + self._remind_after)

    async def still_asked_elsewhere(self, arrival: Arrival) -> bool:
        """Return whether an earlier arrival of the same message is still being answered."""
        async with self._store.transaction() as tx:
            arrivals = await tx.inbox.of(arrival.place)
        for other, ending in arrivals:
            if other.event_id == arrival.event_id:
                return False
            if ending is None and other.kind is ArrivalKind.ASKED:
                return True
        return False

    async def _posted_late(self, tx: Transaction, item: InboxItem) -> None:
        """Queue a search for a second copy of the message, which was posted after the lease was lost (`Delivering`)."""
        place = item.arrival.place.model_dump(exclude_none=True)
        await tx.outbox.add(POSTED_LATE_TOPIC, item.arrival.event_id, place, self._clock.now())


class AskingLimit:
    """The number of questions that one person may ask within an hour, counted in the database for all replicas.

    Args:
        store: The database.
        clock: The time.
        most: The limit; None means none.
    """

    def __init__(self, store: Store, clock: Clock, most: int | None = None) -> None:
        self._store = store
        self._clock = clock
        self._most = most

    async def refusal(self, person: str) -> LimitRefusal | None:
        """Return the refusal that a question of this person would meet now; nothing is counted."""
        if self._most is None:
            return None
        async with self._store.snapshot() as tx:
            return (await tx.askers.lately(person)).refusal(self._clock.now(), self._most)

    async def count(self, item: InboxItem) -> LimitRefusal | None:
        """Count an arrival by its message's own time, or refuse it. An arrival that was counted is never refused."""
        if self._most is None:
            return None
        arrival = item.arrival
        # The shortcut takes up old messages, and counts when it is used.
        at = item.received_at if arrival.via is Via.SHORTCUT else arrival.said_at
        async with self._store.transaction() as tx:
            before = await tx.askers.lately(arrival.counted_for, lock=True)
            after, refusal = before.asked(arrival.event_id, at, self._most)
            for n, _ in enumerate(texts_of(arrival)[0][1:] if refusal is None else ()):
                counted, beyond = after.asked(f"{arrival.event_id}#{n}", at, self._most)
                # A second question is answered even beyond the limit, and must not count as a refusal.
                after = after if beyond else counted
            await tx.askers.put(arrival.counted_for, after, self._clock.now())
        return refusal


class Pruning:
    """The deletion of old arrivals and surplus vectors.

    An ended arrival holds no text; it is only kept to recognise the same message again.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def prune(self) -> None:
        """Delete arrivals that ended `KEPT_FOR` ago, vectors beyond `MOST_VECTORS`, and counts of `REMEMBERED_FOR` ago.

        Concurrent and interrupted runs are harmless.
        """
        pruned = 0
        while True:
            async with self._store.transaction() as tx:
                batch = await tx.inbox.prune(self._clock.now() - KEPT_FOR, PRUNED_PER_TRANSACTION)
            pruned += batch
            if batch < PRUNED_PER_TRANSACTION:
                break
        async with self._store.transaction() as tx:
            await tx.vectors.prune(MOST_VECTORS)
            await tx.askers.prune(self._clock.now() - REMEMBERED_FOR)
        if pruned:
            log.info("deleted %s arrivals that ended more than %s days ago", pruned, KEPT_FOR.days)


async def ask_authors(tx: Transaction, question: Question, now: datetime, asked: Sequence[Author] = ()) -> None:
    """Queue a private question to each author who has not said whether the words may be used.

    Nobody is asked about a direct message before it is sent: that would tell the author that somebody asked.

    Args:
        tx: The transaction.
        question: The question with its authors.
        now: The time.
        asked: Authors who were asked before.
    """
    if not question.unsent:
        for author in consent.waiting(question.authors, asked):
            await tx.outbox.add(CONSENT_TOPIC, question.id, {"author": author}, now)


async def tell_once(tx: Transaction, asker: str, now: datetime) -> None:
    """Queue the notice of what happens with questions, unless this person was told at any time before.

    Two replicas may queue it at once. Entries of one person are delivered one after the other, and the second finds
    the message of the first, so that it is posted once.
    """
    told = told_cursor(asker)
    if await tx.cursors.get(told) is None:
        await tx.cursors.move(told, now.isoformat(), now)
        await tx.outbox.add(PRIVACY_TOPIC, asker, {}, now)


def told_cursor(asker: str) -> str:
    """Return the name of the cursor that says that this person was told."""
    return TOLD + hashlib.sha256(asker.encode()).hexdigest()[:32]


async def ask_shadow(
    tx: Transaction, question: Question, verdict: Verdict | None, now: datetime, *, shadowed: bool = True
) -> None:
    """Queue the question for the shadow release, if there is one (`Shadowing`) and a release answered the question.

    Its answers are shown, so a direct message waits until it is sent. With `shadowed=False` it is known that there is
    no shadow.
    """
    remembered = verdict is not None and verdict.from_memory
    if shadowed and not remembered and not question.unsent and await tx.releases.shadow():
        await tx.outbox.add("shadow", question.id, {}, now)


async def storable(arrival: Arrival) -> Arrival:
    """Return what `intake.storable` does. Long texts are masked one at a time in a thread, so that no ack waits."""
    if not intake.is_long(arrival):
        return intake.storable(arrival)
    return await asyncio.get_running_loop().run_in_executor(_MASKING, intake.storable, arrival)


def question_id(arrival: Arrival) -> str:
    """Return the id of the arrival's question: the same at each try and on every replica."""
    return uuid.uuid5(QUESTION_IDS, arrival.event_id).hex


def texts_of(arrival: Arrival) -> tuple[tuple[str, ...], bool]:
    """Return the one or two questions of an arrival, cut to the length that is kept, and whether anything was cut.

    What others wrote is never split: it is about the message that is asked about.
    """
    text, was_cut = intake.cut(arrival.whole)
    if was_cut or arrival.quotes or arrival.authors:
        return (text,), was_cut
    from bot.domain.parts import parts_of  # no start waits for its patterns

    return parts_of(text), was_cut


def questions_of(arrival: Arrival, now: datetime) -> tuple[Question, ...]:
    """Return the question that an arrival brings; both of a message that clearly asks two."""
    (text, *others), was_cut = texts_of(arrival)
    first = Question(
        id=question_id(arrival),
        text=text,
        cut=was_cut,
        asker=arrival.asker,
        place=arrival.place,
        via=arrival.via,
        language=arrival.language,
        asked_at=now,
        late=arrival.late,
        unread=arrival.unread or None,
        authors=arrival.authors,
        audience=arrival.audience,
    )
    return (first, *map(first.second, others))
