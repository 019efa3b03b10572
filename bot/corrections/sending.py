"""Direct messages: kept private, or sent on to the people responsible, as their askers decide."""

from bot.corrections.correcting import groups_of, put_row
from bot.domain.card import Card
from bot.domain.errors import Reason, Refused
from bot.domain.question import Disclosure
from bot.ports import Clock, Neighbours, Store, Transaction
from bot.questions.arrivals import REPLY_TOPIC, SENT_TOPIC, ask_authors, ask_shadow
from bot.questions.cards import card_of, update_card


class Sending:
    """An asker's decision about a direct message. Only the asker decides, and sending is final."""

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock

    async def card(self, question_id: str, by: str) -> Card:
        """Return the card of a direct message that may still be sent.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_ASKER; ALREADY_SENT.
        """
        async with self._store.transaction() as tx:
            return await self._locked_card(tx, question_id, by)

    async def keep(self, question_id: str, by: str) -> None:
        """Store that the asker keeps the message private, as far as it was not sent. It can still be sent later.

        Raises:
            Refused: As `card`.
        """
        async with self._store.transaction() as tx:
            question, now = (await self._locked_card(tx, question_id, by)).question, self._clock.now()
            second = await tx.questions.second(question)
            for one in (question, second) if second else (question,):
                if one.unsent:
                    await tx.questions.disclose(one.id, Disclosure.KEPT, now)
            await update_card(tx, question, now)

    async def send(self, question_id: str, by: str, category: str, *, named: bool) -> Card:
        """Send the message on: from now on it is a question like any other, for staff, training and the tracker.

        A message from before the upgrade may have been confirmed already; it gets its row back.

        Args:
            question_id: The question.
            by: The person who pressed.
            category: Id of the category whose people get it.
            named: Whether they may know who asked.

        Returns:
            The card as it is now.

        Raises:
            Refused: As `card`; UNKNOWN_CATEGORY.
        """
        (groups,) = await groups_of(self._store, self._neighbours, [question_id])
        async with self._store.transaction() as tx:
            card = await self._locked_card(tx, question_id, by)
            if card.prompt.category(category) is None:
                raise Refused(Reason.UNKNOWN_CATEGORY, category=category)
            now, decided = self._clock.now(), Disclosure.NAMED if named else Disclosure.UNNAMED
            await tx.questions.disclose(question_id, decided, now)
            sent = card.model_copy(update={"question": card.question.model_copy(update={"disclosure": decided})})
            if sent.settled and not sent.question.withheld:
                # The row begins now: readers of changed rows go by this time.
                await put_row(tx, sent, sent.settled.model_copy(update={"at": now}), groups)
            await tx.outbox.add(SENT_TOPIC, question_id, {"category": category}, now)
            await update_card(tx, sent.question, now)
            await ask_authors(tx, sent.question, now)
            await ask_shadow(tx, sent.question, sent.verdict, now)
            return sent

    async def pass_on(self, channel: str, thread_ts: str, ts: str) -> bool:
        """Queue a reply for the asker, if the thread belongs to a message that was sent on.

        Returns:
            False if it is any other thread.
        """
        async with self._store.snapshot() as tx:
            question = await tx.questions.sent_as(channel, thread_ts)
        if question is None:
            return False
        reply = {"channel": channel, "thread_ts": thread_ts, "ts": ts}
        async with self._store.transaction() as tx:
            await tx.outbox.add(REPLY_TOPIC, question.id, reply, self._clock.now())
        return True

    async def _locked_card(self, tx: Transaction, question_id: str, by: str) -> Card:
        question = await tx.questions.get(question_id, lock=True)
        card = await card_of(tx, question) if question else None
        if card is None or not card.question.direct:
            raise Refused(Reason.UNKNOWN_QUESTION)
        if by != card.question.asker:
            raise Refused(Reason.NOT_ASKER)
        if not card.question.unsent:
            raise Refused(Reason.ALREADY_SENT)
        return card
