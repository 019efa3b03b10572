"""The act that gives each question its one visible answer."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import NamedTuple
from weakref import WeakKeyDictionary

from bot.care.caring import Caring
from bot.domain import intake
from bot.domain.card import Card
from bot.domain.disk import is_disk_full, log_failure
from bot.domain.errors import ModelDown, ModelError, ThreadGone, Undelivered
from bot.domain.hourly import TOO_MANY, LimitRefusal
from bot.domain.question import Arrival, ArrivalKind, Ending, InboxItem, Notice, Place, Question, Verdict, Via
from bot.ports import Announcer, Clock, Meter, RowChanges, Store, Threads, Transaction, Unmetered
from bot.questions.arrivals import Arrivals, AskingLimit, CardedQuestion, questions_of, storable
from bot.questions.batched_writes import BatchedWrites
from bot.questions.cards import card_of, first_card
from bot.questions.classifying import AskedReleases, Classifying, ServingRelease
from bot.questions.edits import MessageEdits

log = logging.getLogger(__name__)

ANSWER_TRIES = 4
ARRIVALS_PER_TRANSACTION = 100
"""Upper bound per write. In a burst an arrival waits for a few syncs of the disk, not for one per arrival."""


class TakenUp(NamedTuple):
    """A question that this worker answers: the release to ask, and the card if an earlier try stored a verdict."""

    question: Question
    card: Card | None
    serving: ServingRelease
    shadowed: bool
    """Whether a shadow gets the question, too."""
    changes: RowChanges | None
    """The changes of the rows, for memory."""
    second: "TakenUp | None" = None
    """The second question of the same message."""


class Answering:
    """The story of a question: storage, answer and card. Any number of workers may call `answer_next` at the same time.

    A worker checks its lease right before each post and writes nothing without it, so a worker that was paused does no
    harm. A worker that is paused between that check and Slack's answer may post a second message. In that case
    `Delivering` deletes one of the two.
    """

    def __init__(  # noqa: PLR0913 - one port each
        self,
        store: Store,
        classifying: Classifying,
        announcer: Announcer,
        clock: Clock,
        meter: Meter | None = None,
        threads: Threads | None = None,
        *,
        caring: Caring | None = None,
        remind_after: timedelta | None = None,
        per_hour: int | None = None,
        tell_askers: bool = False,
        forget: Callable[[Place], Awaitable[object]] | None = None,
    ) -> None:
        self._forget = forget
        self._store = store
        self._classifying = classifying
        self._announcer = announcer
        self._threads = threads
        self._caring = caring or Caring()
        self._clock = clock
        self._meter = meter or Unmetered()
        self._arrivals = Arrivals(store, clock, self._meter, remind_after, tell_askers=tell_askers)
        self._limit = AskingLimit(store, clock, per_hour)
        self._edits = MessageEdits(store, classifying, self._arrivals, clock, self._is_over_limit)
        self._writes = BatchedWrites(self._write, ARRIVALS_PER_TRANSACTION)
        self._shared = self._arrivals.shared
        self._looked: WeakKeyDictionary[Transaction, tuple[AskedReleases, RowChanges | None]] = WeakKeyDictionary()
        """What `_look` read in each open transaction. No row's text is kept longer, for it may be forgotten."""
        self.hand_back = self._arrivals.hand_back
        self.waiting_workers: Callable[[], int] | None = None
        """Returns how many workers wait. `receive` stores what they can take as claimed, which saves them the claim.

        Whoever sets this wakes a worker for each new arrival.
        """

    async def receive(self, arrival: Arrival) -> bool:
        """Store an arrival, masked, before Slack gets its ack.

        Returns:
            False if the arrival is already known.

        Raises:
            Exception: Whatever the database raises. The caller must not ack, so that Slack delivers the event again.
        """
        return await self._writes.do(await storable(arrival))

    async def _write(self, arrivals: Sequence[Arrival]) -> list[bool]:
        return await self._arrivals.add(arrivals, self.waiting_workers and self.waiting_workers())

    async def is_forgotten(self, place: Place) -> bool:
        """Return whether this message was forgotten: it is never read again."""
        async with self._store.snapshot() as tx:
            return await tx.forgetting.is_forgotten(place)

    async def answered(self, team: str, channel: str, ts: str) -> Question | None:
        """Return the question that this message asked, if its card is posted."""
        async with self._store.snapshot() as tx:
            question = await tx.questions.at(team, channel, ts)
        return question if question and question.card_ts else None

    async def limit_of(self, person: str) -> LimitRefusal | None:
        """Return the refusal that a question of this person would meet now; None if it would be taken up."""
        return await self._limit.refusal(person)

    async def answer_next(self) -> bool:
        """Work on the oldest open arrival. Returns False if none is due, as far as is known."""
        return await self._arrivals.next(self._answer, self._failed)

    async def _answer(self, item: InboxItem) -> None:
        """Process an arrival: answer it, in private if it is a cry for help, or end it without an answer."""
        item = await self._with_thread(item)
        if await self._caring.needs_help(item.arrival.whole):
            await self._answer_in_private(item)
            return
        if await self._is_turned_away(item):
            return
        taken_up = await self._take_up(item)
        if taken_up is None:
            await self._end_repeated(item)
            return
        card = await self._first_card(item, taken_up)
        if taken_up.second:
            card = card.model_copy(update={"second": await self._first_card(item, taken_up.second)})
        with self._meter.span("post", question=card.question.id):
            again = item.attempts > 1 or item.arrival.via is Via.SHORTCUT
            ts = await self._announcer.post_card(card, again=again)
        shown = [one for one in (card, card.second) if one]
        posted = [CardedQuestion(one.question, one.verdict, ts, shadowed=taken_up.shadowed) for one in shown]
        await self._arrivals.finish(item, Ending.ANSWERED, posted=posted, verdict=card.verdict)

    async def _with_thread(self, item: InboxItem) -> InboxItem:
        """Return the item with the messages that it points at. An arrival in the inbox holds only its own message."""
        if self._threads is None or item.arrival.place.thread_ts is None:
            return item
        async with self._store.snapshot() as tx:
            prompt = (await self._classifying.serving(tx)).prompt
        if not intake.points_at_thread(item.arrival, [category.name for category in prompt.categories]):
            return item
        arrival = await storable(await self._threads.read(item.arrival))
        team = arrival.place.team
        places = [Place(team=team, channel=author.channel, ts=author.ts) for author in arrival.authors if author.ts]
        async with self._store.snapshot() as tx:
            if await tx.forgetting.is_forgotten(*places, arrival.place.model_copy(update={"ts": arrival.place.thread})):
                return item  # the thread's messages were forgotten
        return item.model_copy(update={"arrival": arrival})

    async def _is_turned_away(self, item: InboxItem) -> bool:
        """Return whether the arrival is not to be answered now; if so, it is ended or returned to the queue."""
        arrival = item.arrival
        if arrival.kind is ArrivalKind.EDITED and not await self._edits.stands_for_question(item):
            return True
        notice = intake.notice_for(arrival)
        if notice:
            await self._decline(item, notice)
            return True
        if arrival.via is Via.SHORTCUT and await self._arrivals.still_asked_elsewhere(arrival):
            await self._arrivals.try_later(item)
            return True
        return await self._is_over_limit(item)

    async def _decline(self, item: InboxItem, notice: Notice) -> None:
        """End an arrival that gets no answer, and tell the asker why if the intake policy says so."""
        if intake.is_announced(item.arrival, notice):
            await self._notify(item, notice)
        await self._arrivals.finish(item, Ending.IGNORED, notice.value)

    async def _is_over_limit(self, item: InboxItem) -> bool:
        """Return whether the person has asked too many questions; if so, the arrival is ended and the person told."""
        refusal = await self._limit.count(item)
        if refusal is None:
            return False
        if refusal.tell:
            async with self._store.transaction() as tx:
                await self._arrivals.hold(tx, item)
            try:
                await self._announcer.tell_limit(item.arrival, refusal)
            except Undelivered as error:
                if not error.final:
                    raise
                log.warning("inbox %s: nobody could be told of the limit: %s", item.id, error)
        self._meter.limited()
        await self._arrivals.finish(item, Ending.IGNORED, TOO_MANY)
        return True

    async def _take_up(self, item: InboxItem) -> TakenUp | None:
        """Store the arrival's question, or find the one that an earlier try stored.

        Returns:
            None if another arrival brought the same message.
        """
        asked, *others = questions_of(item.arrival, self._clock.now())

        async def take_up(tx: Transaction) -> TakenUp | None:
            new = await tx.questions.add(asked)
            for other in others if new else ():
                await tx.questions.put_second(other)
            question = asked if new else await self._unanswered(tx, asked)
            if question is None:
                return None
            card = None if new else await card_of(tx, question)
            if card:
                await self._arrivals.hold(tx, item)
            asked_now, changes = await self._look(tx)
            second = None if new and not others else await tx.questions.second(question)
            beside = TakenUp(second, await card_of(tx, second), *asked_now, changes) if second else None
            return TakenUp(question, card, *asked_now, changes, beside)

        return await self._shared.run(take_up)

    async def _look(self, tx: Transaction) -> tuple[AskedReleases, RowChanges | None]:
        """Return the releases to ask and what changed in the rows, read once for all questions of a transaction."""
        if tx not in self._looked:
            self._looked[tx] = await self._classifying.asked(tx), await self._classifying.memory.changes(tx)
        return self._looked[tx]

    async def _unanswered(self, tx: Transaction, asked: Question) -> Question | None:
        """Return the stored question of this message if it has no card yet and this arrival may answer it."""
        place = asked.place
        known = await tx.questions.at(place.team, place.channel, place.ts)
        if known is None or known.card_ts:
            return None
        # It has no card, so it is from an earlier try of this arrival, or the shortcut repeats a question that failed.
        return known if known.id == asked.id or asked.via is Via.SHORTCUT else None

    async def _end_repeated(self, item: InboxItem) -> None:
        """End an arrival whose message another one brought, or try an edit of it later."""
        if item.arrival.kind is ArrivalKind.EDITED:
            await self._arrivals.try_later(item)  # another worker took up the question itself at this moment
        else:
            await self._arrivals.finish(item, Ending.IGNORED, "duplicate")

    async def _first_card(self, item: InboxItem, taken_up: TakenUp) -> Card:
        """Return the card of a question that has its verdict then, from memory or from a release."""
        question, card, serving = taken_up.question, taken_up.card, taken_up.serving
        card = card or await self._remember(item, taken_up)
        if card:
            return card
        verdict = await self._classifying.verdict(question, serving, lambda tx: self._arrivals.hold(tx, item))
        return await self._shared.run(lambda tx: self._keep(tx, item, question, verdict, serving))

    async def _remember(self, item: InboxItem, taken_up: TakenUp) -> Card | None:
        """Store the verdict of memory and return its card; None if memory has no answer."""
        memory, question, serving = self._classifying.memory, taken_up.question, taken_up.serving
        found = await memory.look_up(question, serving.prompt, taken_up.changes)
        if found is None:
            return None
        async with self._store.transaction() as tx:
            verdict = await memory.verdict(tx, question, *serving, found)
            return await self._keep(tx, item, question, verdict, serving) if verdict else None

    async def _keep(
        self, tx: Transaction, item: InboxItem, question: Question, verdict: Verdict, serving: ServingRelease
    ) -> Card:
        """Store the verdict and return the card, to be posted under the lease that was just renewed."""
        await self._arrivals.hold(tx, item)
        await self._classifying.keep(tx, verdict)
        by_serving = verdict.release_id == serving.release.id
        card = first_card(question, verdict, *serving) if by_serving else await card_of(tx, question)
        if card is None:
            raise LookupError("the verdict that was just written is missing")
        return card

    async def _answer_in_private(self, item: InboxItem) -> None:
        """Answer a cry for help, once for each message. Nothing is stored of it, and an earlier card is taken away."""
        arrival = item.arrival
        async with self._store.transaction() as tx:
            others = [known for known in await tx.inbox.of(arrival.place) if known[0].event_id != arrival.event_id]
            question = await tx.questions.at(arrival.place.team, arrival.place.channel, arrival.place.ts)
            await self._arrivals.hold(tx, item)
        if any(ending is Ending.CARE for _, ending in others):
            await self._arrivals.finish(item, Ending.IGNORED, "care_before")
        elif arrival.comes_after_first and any(ending is None and not one.comes_after_first for one, ending in others):
            await self._arrivals.try_later(item)  # the first version is being answered
        else:
            if question:
                await self._take_back(question)
            await self._notify(item, Notice.CARE)
            await self._arrivals.finish(item, Ending.CARE)

    async def _take_back(self, question: Question) -> None:
        """Delete the card of an earlier version of the message, and take the question and its row out of everything."""
        async with self._store.transaction() as tx:
            await tx.questions.hide(question.id)
            await tx.rows.withdraw(question.id, self._clock.now())
            second = await tx.questions.second(question)
            if second:
                await tx.questions.drop_second(question)
                await tx.rows.withdraw(second.id, self._clock.now())
        ts = question.card_ts or await self._announcer.posted_card(question)
        if ts:
            await self._announcer.take_back(question.model_copy(update={"card_ts": ts}))

    async def _notify(self, item: InboxItem, notice: Notice) -> None:
        async with self._store.transaction() as tx:
            await self._arrivals.hold(tx, item)
        await self._announcer.post_notice(item.arrival, notice, again=item.attempts > 1)

    async def _failed(self, item: InboxItem, error: Exception) -> None:
        """Retry the arrival later, or give it up."""
        kind = type(error).__name__
        if isinstance(error, ThreadGone):
            await self._end_deleted(item)
            return
        if isinstance(error, Undelivered):
            log.warning("inbox %s: try %s failed: %s: %s", item.id, item.attempts, kind, error)
            final, tries_left = error.final, not error.final
        elif isinstance(error, ModelError):
            log.warning("inbox %s: try %s failed: %s", item.id, item.attempts, kind)
            final, tries_left = not isinstance(error, ModelDown), item.attempts < ANSWER_TRIES
        else:
            log_failure(log, f"inbox {item.id}: try {item.attempts} failed", error)
            # Nobody can be told that the bot gives up while nothing can be stored.
            final, tries_left, kind = False, item.attempts < ANSWER_TRIES or is_disk_full(error), "error"
        if tries_left and not final:
            await self._arrivals.try_later(item)
        else:
            await self._give_up(item, kind)

    async def _end_deleted(self, item: InboxItem) -> None:
        """End the arrival of a deleted message. Slack may have told of the deletion before anything was stored."""
        if self._forget:
            await self._forget(item.arrival.place)
        await self._arrivals.finish(item, Ending.IGNORED, "deleted")

    async def _give_up(self, item: InboxItem, why: str) -> None:
        """End the arrival and tell the asker. If Slack never accepts that message, the log and the arrival say so."""
        try:
            posted = await self._posted(item.arrival)
            if posted:
                await self._arrivals.finish(item, Ending.ANSWERED, posted=posted)
                return
            await self._notify(item, await self._last_notice(item))
        except ThreadGone:
            await self._end_deleted(item)
            return
        except Undelivered as error:
            log.warning("inbox %s: the asker could not be told: %s", item.id, error)
            if not error.final:
                await self._arrivals.try_later(item)
                return
            why = f"{why}, untold"
        await self._arrivals.finish(item, Ending.FAILED, why)

    async def _last_notice(self, item: InboxItem) -> Notice:
        """Return what the asker is told when the bot gives up. A cry for help is never answered in public."""
        return Notice.CARE if await self._caring.needs_help(item.arrival.whole) else Notice.FAILED

    async def _posted(self, arrival: Arrival) -> list[CardedQuestion]:
        """Return the questions of a card, if an earlier try posted it but could not store its ts."""
        place = arrival.place
        async with self._store.transaction() as tx:
            question = await tx.questions.at(place.team, place.channel, place.ts)
            if question is None or question.card_ts:
                return []
            asked = [one for one in (question, await tx.questions.second(question)) if one]
            verdicts = [await tx.questions.verdict(one.id) for one in asked]
            shadowed = await tx.releases.shadow() is not None
        ts = await self._announcer.posted_card(question)
        return (
            [CardedQuestion(one, verdict, ts, shadowed) for one, verdict in zip(asked, verdicts, strict=True)]
            if ts
            else []
        )
