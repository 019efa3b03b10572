"""The agreement of people whose words a colleague's question holds."""

from bot.corrections.correcting import groups_of, put_row
from bot.domain.consent import Consent, answered
from bot.domain.errors import Reason, Refused
from bot.domain.question import Question
from bot.ports import Clock, Neighbours, Store, Transaction
from bot.questions.cards import card_of, update_card


class Consenting:
    """The consent of authors, whose words make no row before each of them has said yes."""

    def __init__(self, store: Store, neighbours: Neighbours, clock: Clock) -> None:
        self._store = store
        self._neighbours = neighbours
        self._clock = clock

    async def answer(self, question_id: str, by: str, *, agreed: bool) -> Consent:
        """Store an author's answer. The last yes makes the row of the correction in force; a no withdraws the row.

        A repeated answer changes nothing, and a no is final.

        Returns:
            The answer that counts now.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_AUTHOR if the question holds no words of this person.
        """
        (groups,) = await groups_of(self._store, self._neighbours, [question_id])
        async with self._store.transaction() as tx:
            question = await tx.questions.get(question_id, lock=True)
            if question is None:
                raise Refused(Reason.UNKNOWN_QUESTION)
            if by not in {author.id for author in question.authors}:
                raise Refused(Reason.NOT_AUTHOR)
            authors = answered(question.authors, by, Consent.YES if agreed else Consent.NO)
            if authors != question.authors:
                await self._store_answer(tx, question.model_copy(update={"authors": authors}), groups)
        return next(author.consent for author in authors if author.id == by)

    async def _store_answer(self, tx: Transaction, question: Question, groups: dict[str, str]) -> None:
        """Store the authors, and put or withdraw the row as they allow."""
        now = self._clock.now()
        await tx.questions.edit(question)
        if question.withheld:
            await tx.rows.withdraw(question.id, now)
        else:
            card = await card_of(tx, question)
            if card and card.settled:
                # The row begins now: readers of changed rows go by this time.
                await put_row(tx, card, card.settled.model_copy(update={"at": now}), groups)
        await update_card(tx, question, now)
