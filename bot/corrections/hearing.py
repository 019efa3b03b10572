"""Askers' feedback on their answers: solved, or not helpful and why."""

from datetime import timedelta

from bot.domain.card import Card
from bot.domain.errors import Reason, Refused
from bot.domain.feedback import AskerFeedback, FeedbackKind
from bot.domain.masking import masked
from bot.ports import Clock, Store, Transaction
from bot.questions.cards import card_of, update_card
from bot.questions.delivering import FEEDBACK_TOPIC

TELL_AFTER = timedelta(seconds=20)
"""Delay before the owner is told, so that the message can say why: askers give the reason with a second press."""


class Hearing:
    """The feedback of askers, which changes no category and makes no row."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def hear(self, question_id: str, by: str, kind: FeedbackKind, words: str | None = None) -> Card:
        """Store what the asker says, with the card's update in one transaction. The owner is told once per question.

        Nobody is told about a direct message. A repeated press changes nothing.

        Args:
            question_id: The question.
            by: The person who pressed.
            kind: The kind of feedback.
            words: The person's own sentence.

        Returns:
            The card as it is now.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_ASKER if somebody else asked the question.
        """
        async with self._store.transaction() as tx:
            question = await tx.questions.get(question_id, lock=True)
            card = await card_of(tx, question) if question else None
            if question is None or card is None:
                raise Refused(Reason.UNKNOWN_QUESTION)
            if by != question.asker:
                raise Refused(Reason.NOT_ASKER)
            said = AskerFeedback(
                question_id=question_id,
                seq=1,
                kind=kind,
                words=masked(words) if words else None,
                by=by,
                at=self._clock.now(),
            )
            heard = await self._hear(tx, card, said)
            second = await tx.questions.second(question)
            other = await card_of(tx, second) if second else None
            if other:
                # The controls are below both answers, and may mean either.
                await self._hear(tx, other, said, tell=other.owner != card.owner)
            return heard

    async def _hear(self, tx: Transaction, card: Card, said: AskerFeedback, *, tell: bool = True) -> Card:
        """Store the feedback for one question, unless it was the last that the asker said."""
        question = card.question
        earlier = await tx.feedback.of(question.id)
        if earlier and (earlier[-1].kind, earlier[-1].words) == (said.kind, said.words):
            return card
        said = said.model_copy(update={"question_id": question.id, "seq": len(earlier) + 1})
        await tx.feedback.add(said)
        await update_card(tx, question, said.at)
        told = any(not one.helped for one in earlier)
        if tell and not said.helped and not told and not question.direct:
            await tx.outbox.add(FEEDBACK_TOPIC, question.id, {}, said.at, due=said.at + TELL_AFTER)
        return card.model_copy(update={"feedback": said})
