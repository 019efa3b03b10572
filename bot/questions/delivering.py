"""Delivery of outbox entries to Slack: in order, retried until Slack accepts them, and visible once."""

import json
import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain.budget import BUDGET_TOPIC, BudgetNews
from bot.domain.card import Card
from bot.domain.consent import Consent
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.digest import DIGEST_TOPIC, Digest
from bot.domain.disk import log_failure
from bot.domain.errors import Undelivered
from bot.domain.finetune import ENDED_STATES, STALL_TOPIC, UNDER_WAY
from bot.domain.forgetting import Shown
from bot.domain.hours import next_working_moment
from bot.domain.permission import PAUSED, PERMISSION_TOPIC
from bot.domain.privacy import PRIVACY_TOPIC
from bot.domain.proposal import PROPOSAL_TOPIC
from bot.domain.question import Missed, Place, Question
from bot.domain.release import ModelName
from bot.domain.trouble import TroubleReport
from bot.ports import MESSAGE_ID, Announcer, Clock, Meter, OutboxItem, Store, Transaction, Unmetered
from bot.questions.arrivals import CONSENT_TOPIC, POSTED_LATE_TOPIC, QUESTION_IDS, REMIND_TOPIC, REPLY_TOPIC, SENT_TOPIC
from bot.questions.batched_writes import SharedTransactions
from bot.questions.cards import card_of, models_asked, update_card, whole_card
from bot.questions.classifying import REPORT_INTERVAL, TROUBLE_TOPIC
from bot.questions.leasing import LeasedOutbox, RetryDelay

log = logging.getLogger(__name__)

DELIVERY_LEASE = timedelta(seconds=60)
FIRST_DELIVERY_WAIT = timedelta(seconds=2)
LONGEST_DELIVERY_WAIT = timedelta(minutes=5)
OPERATORS_TOPIC = "operators"
"""Outbox topic: a text for the ops channel. The payload holds its key as `text`, and the values of its placeholders."""
HANDED_FOR = timedelta(seconds=2)
"""How old an entry may be whose card was handed over with it. An older one is read anew, after a look at its lease."""
SHARED_BY = 16
"""Upper bound for entries that end in one transaction, and presses that add some: other replicas wait for its locks."""
FEEDBACK_TOPIC = "feedback"
"""Outbox topic: an asker was not helped, for the owner. The key is the question's id."""
AGAIN = "again"
"""Payload key of an entry that repeats another one, whose message may have been posted."""


class Delivering:
    """The delivery of outbox entries. An entry names a thing that is read at delivery, so people see its newest state.

    A worker checks its lease right before each message. A worker that is paused between that check and Slack's answer
    may post an outdated state, or post twice. In that case the entry is added once more. The next worker posts the
    current state, or finds that the message is already there.
    """

    def __init__(self, store: Store, announcer: Announcer, clock: Clock, meter: Meter | None = None) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock
        self._topics = {
            "card": self._card,
            "owner": self._new_owner,
            "finetune": self._finetune,
            STALL_TOPIC: self._stall,
            "switch": self._switch,
            PROPOSAL_TOPIC: self._proposal,
            DIGEST_TOPIC: self._digest,
            "missed": self._missed,
            POSTED_LATE_TOPIC: self._posted_late,
            CONSENT_TOPIC: self._consent,
            SENT_TOPIC: self._sent,
            REPLY_TOPIC: self._reply,
            FEEDBACK_TOPIC: self._feedback,
            REMIND_TOPIC: self._remind,
            TROUBLE_TOPIC: self._trouble,
            OPERATORS_TOPIC: self._operators,
            PERMISSION_TOPIC: self._permission,
            PRIVACY_TOPIC: self._privacy,
            BUDGET_TOPIC: self._budget_end,
        }
        delay = RetryDelay(FIRST_DELIVERY_WAIT, LONGEST_DELIVERY_WAIT)
        spans = meter or Unmetered()
        self._entries = LeasedOutbox(
            store,
            clock,
            self._topics,
            DELIVERY_LEASE,
            delay,
            span=lambda item: spans.span("delivery", topic=item.topic, key=item.key),
        )
        self.topics = self._entries.topics
        self.waiting_workers: Callable[[], int] = lambda: 0
        """Returns the number of workers that wait for `deliver_next` to have something to do."""
        self.shared = SharedTransactions(store, SHARED_BY)
        """Ends entries. Writers of new entries may share its transactions."""
        self._cards: dict[int, Card] = {}
        """Entry that was handed over → the card as the transaction that stored it left it."""
        self._more = False
        """Whether there may be other entries than those that were handed over."""

    async def deliver_next(self) -> bool:
        """Deliver the oldest entry that is due. Returns False if there is none."""
        found = await self._entries.next(self._deliver, self._failed)
        found, self._more = found or self._more, False
        return found

    async def hand_back(self) -> None:
        """Return all entries that are held to the queue."""
        self._cards.clear()
        await self._entries.hand_back()

    async def add_card(self, tx: Transaction, question: Question, now: datetime) -> OutboxItem | None:
        """Queue an update of a card; claim it, if a worker waits and no earlier update of this card does.

        What is claimed has to be handed over after the commit.
        """
        if self.waiting_workers() > self._entries.handed:
            item = await self._entries.add_claimed(tx, "card", question.root, now)
            if item:
                return item
        await update_card(tx, question, now)
        return None

    def hand_over(self, item: OutboxItem, card: Card | None, *, more: bool) -> None:
        """Let a worker deliver a claimed update without reading.

        Args:
            item: The update.
            card: The whole card as the transaction left it; None if it has to be read.
            more: Whether the transaction queued other entries too.
        """
        if card:
            self._cards[item.id] = card
        self._more = self._more or more
        self._entries.hand_over(item)

    async def _deliver(self, item: OutboxItem) -> None:
        await self._topics[item.topic](item)
        await self._done(item)

    async def _failed(self, item: OutboxItem, error: Exception) -> None:
        name = self._entries.name(item)
        if isinstance(error, Undelivered) and error.final:
            log.warning("%s: Slack will never take it: %s", name, error)
            await self._done(item)
            return
        if isinstance(error, Undelivered):
            log.warning("%s: try %s: %s", name, item.attempts, error)
        else:
            log_failure(log, f"{name}: try {item.attempts} failed", error)
        async with self._store.transaction() as tx:
            if not await self._entries.retry(tx, item, type(error).__name__):
                await self._add_again(tx, item)

    async def _done(self, item: OutboxItem) -> None:
        async def end(tx: Transaction) -> None:
            if not await tx.outbox.done(item):
                await self._add_again(tx, item)

        await self.shared.run(end)

    async def _add_again(self, tx: Transaction, item: OutboxItem) -> None:
        """Queue the entry once more, because the lease was lost during its delivery."""
        log.info("%s: lease lost", self._entries.name(item))
        now = self._clock.now()
        await tx.outbox.add(item.topic, item.key, item.payload | {AGAIN: "yes", MESSAGE_ID: item.message_id}, now)

    async def _card(self, item: OutboxItem) -> None:
        handed = self._cards.pop(item.id, None)
        fresh = self._clock.now() - item.added_at < HANDED_FOR
        card = handed if handed and fresh else await self._read_card(item)
        if card and card.question.card_ts is None:
            raise Undelivered("the card was pressed before its ts was saved", final=False)
        if card:
            await self._announcer.update_card(card)

    async def _read_card(self, item: OutboxItem) -> Card | None:
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await whole_card(tx, question) if question else None
            await self._entries.hold(tx, item)
        return card

    async def _new_owner(self, item: OutboxItem) -> None:
        """Mention the new owner in a message of its own, because an updated card notifies nobody.

        No message is posted if the question has changed owners again since.
        """
        seq = int(item.payload["seq"])
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
            since = [correction for correction in await tx.corrections.of(item.key) if correction.seq >= seq]
            await self._entries.hold(tx, item)
        if card and not card.question.unsent and all(keeps_owner(card, correction) for correction in since):
            await self._announcer.announce_owner(
                card, message_id=item.payload.get(MESSAGE_ID, f"{item.key}:{seq}"), again=is_again(item)
            )

    async def _feedback(self, item: OutboxItem) -> None:
        """Tell the owner that the asker was not helped, with the newest reason, unless it is solved by now."""
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
            await self._entries.hold(tx, item)
        if card and card.feedback and not card.feedback.helped:
            await self._announcer.tell_feedback(card, message_id=item.message_id, again=is_again(item))

    async def _remind(self, item: OutboxItem) -> None:
        """Remind the owner within working hours, unless somebody has the question or replied.

        The entry may come twice after a crash, so the announcer always looks for the reminder first.
        """
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
            await self._entries.hold(tx, item)
            first = await tx.questions.get(question.part_of) if question and question.part_of else None
            beside = await card_of(tx, first) if first else None
        helped = card is not None and card.feedback is not None and card.feedback.helped
        if card is None or card.question.unsent or card.owner is None or card.signal or helped:
            return
        if beside and beside.owner == card.owner:
            return  # the first question of the message has a reminder of its own
        now = self._clock.now()
        due = next_working_moment(now, await self._announcer.utc_offset(card))
        if due > now:
            async with self._store.transaction() as tx:
                await tx.outbox.add(REMIND_TOPIC, item.key, {}, now, due=due)
        elif not await self._announcer.replied(card):
            await self._announcer.remind_owner(card, message_id=card.question.id, again=True)

    async def _finetune(self, item: OutboxItem) -> None:
        """Update the progress message, and post the end in another one, because an updated message notifies nobody."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(item.key)
            await self._entries.hold(tx, item)
        if finetune is None:
            return
        channel, ts = await self._announcer.show_finetune(finetune, again=is_again(item))
        finetune = finetune.model_copy(update={"channel": channel, "channel_ts": ts})
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
            current = await tx.finetunes.get(item.key)
            made = next((one for one in reversed(await tx.releases.all()) if one.finetune_id == item.key), None)
            if current and (channel, ts) != (current.channel, current.channel_ts):
                shown = current.model_copy(update={"channel": channel, "channel_ts": ts})
                await tx.finetunes.advance(shown, current.state)
        if finetune.state in ENDED_STATES and item.payload.get("state") == finetune.state.value:
            await self._announcer.announce_finetune(finetune, made, again=is_again(item))

    async def _stall(self, item: OutboxItem) -> None:
        """Ask whether to wait any longer for a fine-tune, unless it went on or ended meanwhile."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(item.key)
            await self._entries.hold(tx, item)
        if finetune and finetune.stalled_at and finetune.state in UNDER_WAY:
            await self._announcer.ask_about_stall(finetune, message_id=item.message_id, again=is_again(item))

    async def _switch(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            release = await tx.releases.get(item.key)
            await self._entries.hold(tx, item)
        if release:
            by, note = item.payload["by"], item.payload.get("note")
            await self._announcer.announce_switch(release, by, note, message_id=item.message_id, again=is_again(item))

    async def _proposal(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            proposal = await tx.proposals.get(item.key)
            release = await tx.releases.get(proposal.release_id) if proposal and proposal.release_id else None
            serving = await tx.releases.serving()
            await self._entries.hold(tx, item)
        if proposal is None:
            return
        shown = await self._announcer.show_proposal(proposal, release, serving)
        async with self._store.transaction() as tx:
            await tx.proposals.save_shown(item.key, shown)

    async def _digest(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
            prompt = await tx.prompts.get(serving.prompt_id) if serving else None
            await self._entries.hold(tx, item)
        if prompt:
            digest = Digest.model_validate_json(item.payload["digest"], extra="ignore")
            await self._announcer.post_digest(digest, prompt)

    async def _missed(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
        missed = Missed.model_validate_json(item.payload["missed"], extra="ignore")
        await self._announcer.post_missed(missed, message_id=item.message_id, again=is_again(item))

    async def _trouble(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
        report = TroubleReport.kept(item.payload)
        await self._announcer.tell_trouble(report, message_id=item.message_id, again=is_again(item))

    async def _operators(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
        facts = {name: fact for name, fact in item.payload.items() if name not in {"text", AGAIN, MESSAGE_ID}}
        await self._announcer.tell_operators(
            item.payload["text"], facts, message_id=item.message_id, again=is_again(item)
        )

    async def _privacy(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            models = await models_asked(tx)
            await self._entries.hold(tx, item)
        await self._announcer.tell_asker(item.key, models)

    async def _permission(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
        await self._announcer.ask_permission(ModelName.parse(item.key), paused=PAUSED in item.payload)

    async def _budget_end(self, item: OutboxItem) -> None:
        async with self._store.transaction() as tx:
            await self._entries.hold(tx, item)
        await self._announcer.tell_budget_end(BudgetNews.kept(json.loads(item.payload["news"])), message_id=item.key)

    async def _consent(self, item: OutboxItem) -> None:
        """Ask an author of the question's words in private, unless the answer is there or the words are gone."""
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            await self._entries.hold(tx, item)
        authors = question.authors if question else ()
        author = next((one for one in authors if one.id == item.payload["author"]), None)
        if author and author.consent is Consent.ASKED:
            await self._announcer.ask_author(item.key, author, message_id=item.message_id, again=is_again(item))

    async def _sent(self, item: OutboxItem) -> None:
        """Post a direct message where its asker sent it, and keep where, so that replies there find the way back."""
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            card = await card_of(tx, question) if question else None
            await self._entries.hold(tx, item)
        if card is None or card.question.unsent:
            return
        category = card.prompt.category(item.payload["category"]) or card.category
        places = await self._announcer.send_on(card, category, again=is_again(item))
        async with self._store.transaction() as tx:
            for channel, ts in places:
                await tx.questions.save_sent(item.key, channel, ts)
            await self._entries.hold(tx, item)
        if not places:
            await self._announcer.tell_unreached(card, category, again=is_again(item))

    async def _reply(self, item: OutboxItem) -> None:
        """Pass a reply on to the asker. Slack keeps the text; an entry only says where it stands."""
        async with self._store.transaction() as tx:
            question = await tx.questions.get(item.key)
            await self._entries.hold(tx, item)
        if question:
            reply = Place(
                team=question.place.team, **{name: item.payload[name] for name in ("channel", "ts", "thread_ts")}
            )
            await self._announcer.pass_on(question, reply)

    async def _posted_late(self, item: OutboxItem) -> None:
        """Delete all copies but one of a message that was posted after the arrival's lease was lost."""
        place = Place.model_validate({name: item.payload.get(name) for name in Place.model_fields})
        async with self._store.transaction() as tx:
            question = await tx.questions.at(place.team, place.channel, place.ts)
            forgotten = question is None and await tx.forgetting.is_forgotten(place)
        await self._announcer.keep_one(place, item.key, question)
        if forgotten:
            # It was forgotten while its answer was posted.
            gone = uuid.uuid5(QUESTION_IDS, item.key).hex
            shown = Shown(question=gone, channel=place.channel, thread=place.thread, card_ts=None, alone=False)
            await self._announcer.remove_shown(shown)


async def tell_operators(tx: Transaction, now: datetime, text: str, **facts: str) -> None:
    """Queue a message about trouble that only operators can end, at most one with this text per `REPORT_INTERVAL`.

    Args:
        tx: The transaction.
        now: The current time.
        text: The key of the text in handlers/texts/.
        **facts: Values for its placeholders.
    """
    # This lease is never released early.
    if await tx.leases.acquire(f"{OPERATORS_TOPIC}:{text}", uuid.uuid4().hex, now, REPORT_INTERVAL):
        await tx.outbox.add(OPERATORS_TOPIC, text, {"text": text} | facts, now)


def keeps_owner(card: Card, correction: Correction) -> bool:
    """Return whether the question's category after this correction was the one that the card shows now."""
    card_then = card.model_copy(update={"settled": correction})
    return correction.kind is not CorrectionKind.UNDO and card_then.category == card.category


def is_again(item: OutboxItem) -> bool:
    """Return whether an earlier try, or the entry that this one repeats, may have posted the message."""
    return item.attempts > 1 or AGAIN in item.payload
