"""How a question gets its one visible answer."""

import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.domain import intake
from bot.domain.card import Card
from bot.domain.errors import ModelDown, ModelError, Undelivered
from bot.domain.question import Arrival, ArrivalKind, Ending, InboxItem, Notice, Question, Verdict, Via
from bot.ports import Announcer, Clock, Meter, Store, Transaction, Unmetered
from bot.questions.batched_writes import BatchedWrites
from bot.questions.cards import card_of, first_card
from bot.questions.classifying import Classifying, ServingRelease

log = logging.getLogger(__name__)

QUESTION_IDS = uuid.UUID("7f1f0d3e-7e43-4f5b-9b38-6c1f8f5f5c1a")
ANSWER_LEASE = timedelta(seconds=90)
"""Longer than the slowest answer of one release (45 s, and 20 s for its confidence), or the post of a card: a live
worker never loses its item, for it is held anew before the fallback release is asked and before each post."""
ANSWER_TRIES = 4
FIRST_ANSWER_WAIT = timedelta(seconds=3)
"""Before the second try; three times as long before each further one: the asker hears within a minute or so."""
LONGEST_ANSWER_WAIT = timedelta(minutes=1)
"""Where Slack takes nothing, it is tried until Slack does."""
IN_FLIGHT = timedelta(minutes=10)
"""A message of this age may still be on its way: Slack delivers a lost event again after up to six minutes."""

ARRIVALS_PER_TRANSACTION = 100
"""Arrivals that are written down in one transaction: in a burst each waits for a few syncs of the disk, not for all."""


class LeaseLost(Exception):  # noqa: N818 - reads as what happened
    """The lease was lost: another worker answers, so this one must not."""


class Answering:
    """Takes questions in and answers them. Any number of workers may call `answer_next` at the same time.

    A worker that was paused holds its arrival no longer: it looks right before it posts anything, and writes nothing
    without its lease. Where it was paused at that very moment, between the look and Slack's taking the post, two of
    them may have posted: then `Delivering` (topic `overslept`) sees that one message stays.
    """

    def __init__(
        self, store: Store, classifying: Classifying, announcer: Announcer, clock: Clock, meter: Meter | None = None
    ) -> None:
        self._store = store
        self._classifying = classifying
        self._announcer = announcer
        self._clock = clock
        self._meter = meter or Unmetered()
        self._owner = uuid.uuid4().hex
        self._receiving = BatchedWrites(self._receive, ARRIVALS_PER_TRANSACTION)

    async def receive(self, arrival: Arrival) -> bool:
        """Write an arrival down, masked, before Slack gets its ack. False where it is known already.

        Raises whatever the database raises: then there must be no ack, so that Slack delivers again.
        """
        return await self._receiving.do(intake.kept(arrival))

    async def _receive(self, arrivals: Sequence[Arrival]) -> list[bool]:
        async with self._store.transaction() as tx:
            return [await tx.inbox.add(arrival, self._clock.now()) for arrival in arrivals]

    async def answered(self, team: str, channel: str, ts: str) -> Question | None:
        """The question that this message already is, if its card is posted."""
        async with self._store.snapshot() as tx:
            question = await tx.questions.at(team, channel, ts)
        return question if question and question.card_ts else None

    async def hand_back(self) -> None:
        """Let others take up at once what was begun here and will not be finished."""
        async with self._store.transaction() as tx:
            await tx.inbox.hand_back(self._owner, self._clock.now())

    async def answer_next(self) -> bool:
        """Work on the oldest open arrival. False where there is none to work on now."""
        async with self._store.transaction() as tx:
            item = await tx.inbox.claim(self._owner, self._clock.now(), ANSWER_LEASE)
        if item is None:
            return False
        with self._meter.span("question", question=id_of(item.arrival)):
            await self._worked(item)
        return True

    async def _worked(self, item: InboxItem) -> None:
        try:
            await self._work(item)
        except LeaseLost:
            log.info("inbox %s: lease lost", item.id)
        except ModelError as error:
            log.warning("inbox %s: try %s failed: %s", item.id, item.attempts, type(error).__name__)
            await self._failed(item, final=not isinstance(error, ModelDown), why=type(error).__name__)
        except Undelivered as error:
            log.warning("inbox %s: try %s failed: Undelivered: %s", item.id, item.attempts, error)
            await (self._failed(item, final=True, why="Undelivered") if error.final else self._later(item))
        except Exception:
            log.exception("inbox %s: try %s failed", item.id, item.attempts)
            await self._failed(item, final=False, why="error")

    async def _hold(self, tx: Transaction, item: InboxItem) -> None:
        """Hold the arrival while something is posted. Raises Overslept."""
        if not await tx.inbox.renew(item, self._clock.now() + ANSWER_LEASE):
            raise LeaseLost

    async def _finish(
        self,
        item: InboxItem,
        ending: Ending,
        why: str | None,
        posted: Question | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """End an arrival, and say so in one line of the log.

        Args:
            item: the arrival.
            ending: how it ends.
            why: it ends so, where that is no matter of course.
            posted: the question, with the ts of the card that it got by this.
            verdict: what a release said of it.
        """
        now = self._clock.now()
        async with self._store.transaction() as tx:
            kept = await tx.inbox.finish(item, ending, why, now)
            if not kept:
                await self._overslept(tx, item)
            elif posted and posted.card_ts:
                await tx.questions.save_card(posted.id, posted.card_ts)
                await self._shadow(tx, posted)
        if not kept:
            log.info("inbox %s: lease lost", item.id)
            return
        seconds = (now - item.received_at).total_seconds()
        self._meter.ended(ending, seconds)
        known = posted.id if posted else verdict.question_id if verdict else id_of(item.arrival)
        facts = {
            "question": known,
            "ending": ending.value,
            "why": why,
            "release": verdict and verdict.release_id,
            "seconds": round(seconds, 3),
            "tries": item.attempts,
        }
        log.info("a question ended", extra=facts)

    async def _overslept(self, tx: Transaction, item: InboxItem) -> None:
        """The lease was lost while something was posted: it may stand there twice."""
        place = item.arrival.place.model_dump(exclude_none=True)
        await tx.outbox.add("overslept", item.arrival.event_id, place, self._clock.now())

    async def _later(self, item: InboxItem) -> None:
        """Give it back, to be tried again after a while."""
        wait = min(FIRST_ANSWER_WAIT * 3 ** min(item.attempts - 1, 10), LONGEST_ANSWER_WAIT)
        async with self._store.transaction() as tx:
            if not await tx.inbox.postpone(item, self._clock.now() + wait):
                await self._overslept(tx, item)

    async def _failed(self, item: InboxItem, *, final: bool, why: str) -> None:
        """Try again later, or end it and tell the asker; where Slack will never take that, log and row say so."""
        if not final and item.attempts < ANSWER_TRIES:
            await self._later(item)
            return
        try:
            posted = await self._posted(item.arrival)
            if posted:
                await self._finish(item, Ending.ANSWERED, None, posted)
                return
            await self._notify(item, Notice.FAILED)
        except LeaseLost:
            log.info("inbox %s: lease lost", item.id)
            return
        except Undelivered as error:
            log.warning("inbox %s: the asker could not be told: %s", item.id, error)
            if not error.final:
                await self._later(item)
                return
            why = f"{why}, untold"
        await self._finish(item, Ending.FAILED, why)

    async def _posted(self, arrival: Arrival) -> Question | None:
        """The question, with the ts of its card, where an earlier try posted it and could not write that down."""
        place = arrival.place
        async with self._store.transaction() as tx:
            question = await tx.questions.at(place.team, place.channel, place.ts)
        if question is None or question.card_ts:
            return None
        ts = await self._announcer.posted_card(question)
        return question.model_copy(update={"card_ts": ts}) if ts else None

    async def _notify(self, item: InboxItem, notice: Notice) -> None:
        async with self._store.transaction() as tx:
            await self._hold(tx, item)
        await self._announcer.post_notice(item.arrival, notice, again=item.attempts > 1)

    async def _work(self, item: InboxItem) -> None:
        """Bring an arrival to its end, or give it back."""
        if item.arrival.kind is ArrivalKind.EDITED:
            await self._edit(item)
        else:
            await self._answer(item)

    async def _answer(self, item: InboxItem) -> None:
        arrival = item.arrival
        notice = intake.notice_for(arrival)
        if notice is not None:
            if intake.is_said(arrival, notice):
                await self._notify(item, notice)
            await self._finish(item, Ending.IGNORED, notice.value)
            return
        if arrival.via is Via.SHORTCUT and await self._on_its_way(arrival):
            await self._later(item)
            return
        card = await self._classified(item)
        if card is None and arrival.kind is ArrivalKind.EDITED:
            await self._later(item)  # its question came at this very moment
            return
        if card is None:
            await self._finish(item, Ending.IGNORED, "duplicate")
            return
        with self._meter.span("post", question=card.question.id):
            ts = await self._announcer.post_card(card, again=item.attempts > 1 or arrival.via is Via.SHORTCUT)
        await self._finish(item, Ending.ANSWERED, None, card.question.model_copy(update={"card_ts": ts}), card.verdict)

    async def _on_its_way(self, arrival: Arrival) -> bool:
        """Whether the message came in before and is still being answered: only where that fails it is asked anew."""
        async with self._store.transaction() as tx:
            arrivals = await tx.inbox.of(arrival.place)
        for other, ending in arrivals:
            if other.event_id == arrival.event_id:
                return False
            if ending is None and other.kind is ArrivalKind.ASKED:
                return True
        return False

    async def _shadow(self, tx: Transaction, question: Question) -> None:
        """Let the shadow release, where there is one, answer it too, later and unseen (bot/releases/shadowing.py)."""
        if await tx.releases.shadow():
            await tx.outbox.add("shadow", question.id, {}, self._clock.now())

    async def _classified(self, item: InboxItem) -> Card | None:
        """An arrival's card, ready to be posted by who still holds the lease.

        None where the same message came in by another event. A release is asked only where there is no verdict from an
        earlier try.
        """
        async with self._store.transaction() as tx:
            asked = self._question(item.arrival)
            new = await tx.questions.add(asked)
            question = asked if new else await self._taken_up(tx, asked)
            if question is None:
                return None
            card = None if new else await card_of(tx, question)
            if card:
                await self._hold(tx, item)
                return card
            serves = await self._classifying.serving(tx)
        verdict = await self._verdict(item, question, serves)
        async with self._store.transaction() as tx:
            await self._hold(tx, item)
            await self._classifying.keep(tx, verdict)
            by_serving = verdict.release_id == serves.release.id
            card = first_card(question, verdict, *serves) if by_serving else await card_of(tx, question)
        if card is None:
            raise LookupError("the verdict that was just written is not there")
        return card

    async def _verdict(self, item: InboxItem, question: Question, serves: ServingRelease) -> Verdict:
        with self._meter.span("classify", question=question.id, release=serves.release.id):
            return await self._classifying.verdict(question, serves, lambda tx: self._hold(tx, item))

    def _question(self, arrival: Arrival) -> Question:
        text, was_cut = intake.cut(arrival.text)
        return Question(
            id=id_of(arrival),
            text=text,
            cut=was_cut,
            asker=arrival.asker,
            place=arrival.place,
            via=arrival.via,
            language=arrival.language,
            asked_at=self._clock.now(),
            late=arrival.late,
        )

    async def _taken_up(self, tx: Transaction, question: Question) -> Question | None:
        """The question that this message is already, where it still has to be answered."""
        place = question.place
        known = await tx.questions.at(place.team, place.channel, place.ts)
        if known is None or known.card_ts:
            return None
        # It has no card: this worker takes up its own earlier try, or somebody asks again by shortcut after a failure.
        return known if known.id == question.id or question.via is Via.SHORTCUT else None

    async def _edit(self, item: InboxItem) -> None:
        """An edited question is classified anew unless staff settled it: a row keeps the text that was judged.

        An edit of a message that is still on its way is the question: what was first written comes too late.
        """
        place = item.arrival.place
        text, was_cut = intake.cut(item.arrival.text)
        async with self._store.transaction() as tx:
            # In this order: where its question is ended between the two, the question is read with its card. The other
            # way round it would have neither a card nor a worker, and the edit would be dropped.
            others = await tx.inbox.of(place)
            question = await tx.questions.at(place.team, place.channel, place.ts)
            card = await card_of(tx, question) if question else None
            serves = await self._classifying.serving(tx)
        if any(other.after(item.arrival) for other, _ in others):
            await self._finish(item, Ending.IGNORED, "edited_again")
            return
        if self._is_the_question(item.arrival, question):
            await self._answer(item)
            return
        if question is None or not intake.words_of(text) or question.text == text:
            await self._finish(item, Ending.IGNORED, "edit_changes_nothing")
            return
        if card and card.settled:
            await self._finish(item, Ending.IGNORED, "edited_after_settlement")
            return
        if question.card_ts is None:
            if any(ending is None and item.arrival.after(other) for other, ending in others):
                await self._later(item)  # it is on its way
            else:
                await self._finish(item, Ending.IGNORED, "first_answer_missing")
            return
        edited = question.model_copy(update={"text": text, "cut": was_cut})
        verdict = await self._verdict(item, edited, serves)
        overtaken = await self._overtaken(item, edited, verdict)
        await self._finish(item, Ending.IGNORED if overtaken else Ending.ANSWERED, overtaken or "edited", None, verdict)

    async def _overtaken(self, item: InboxItem, edited: Question, verdict: Verdict) -> str | None:
        """Write an edit down, or tell what made it void while the model thought."""
        async with self._store.transaction() as tx:
            await self._hold(tx, item)
            question = await tx.questions.get(edited.id, lock=True)
            card = await card_of(tx, question) if question else None
            if card and card.settled:
                return "edited_after_settlement"
            if any(other.after(item.arrival) for other, _ in await tx.inbox.of(edited.place)):
                return "edited_again"
            await tx.questions.edit(edited.id, edited.text, cut=edited.cut)
            await self._classifying.keep(tx, verdict)
            await tx.outbox.add("card", edited.id, {}, self._clock.now())
            await self._shadow(tx, edited)
        return None

    def _is_the_question(self, edit: Arrival, known: Question | None) -> bool:
        """Whether an edit stands for a message that has not come yet; or did, when its worker died."""
        if known:
            return known.card_ts is None and known.id == self._question(edit).id
        age = self._clock.now() - datetime.fromtimestamp(float(edit.place.ts), UTC)
        return age < IN_FLIGHT and intake.notice_for(edit) is None


def id_of(arrival: Arrival) -> str:
    """The id of the question that this arrival brings: the same at each try, on every replica."""
    return uuid.uuid5(QUESTION_IDS, arrival.event_id).hex
