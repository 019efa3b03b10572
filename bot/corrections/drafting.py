"""Drafts of reasons for a category that staff choose."""

import logging

from bot.domain.card import Card
from bot.domain.errors import ModelError
from bot.ports import Model, Neighbours, Store
from bot.questions.cards import card_of
from bot.questions.recalling import Recalling

log = logging.getLogger(__name__)


class Drafting:
    """A draft of a reason for a category, for staff to accept or edit. Nothing is stored."""

    def __init__(self, store: Store, model: Model, neighbours: Neighbours) -> None:
        self._recalling = Recalling(store, neighbours)
        self._store = store
        self._model = model

    async def reason(self, question_id: str, category: str) -> str | None:
        """Return a reason for this category: the one that was given for it already, else a model's draft.

        Returns:
            None if the question or category is unknown, no release serves, or the model gives no usable answer.
        """
        async with self._store.transaction() as tx:
            question = await tx.questions.get(question_id)
            card = await card_of(tx, question) if question else None
            serving = await tx.releases.serving()
        given = given_reason(card, category) if card else None
        if given or card is None or serving is None or card.prompt.category(category) is None:
            return given
        try:
            # The category is one of the card's own prompt; the serving release may have another prompt by now.
            drafted = await self._model.reason(serving.model, card.prompt, card.question.text, category)
        except ModelError as error:
            log.info("no reason was drafted: %s", type(error).__name__)
            return None
        if not drafted:
            return None
        return await self._recalling.own_reason(drafted, card.question, card.prompt, category)


def given_reason(card: Card, category: str) -> str | None:
    """Return the reason that staff, or else the verdict, gave for exactly this category."""
    if card.settled and card.settled.category == category and card.settled.reason:
        return card.settled.reason
    return (card.verdict.reason or None) if card.verdict.category == category else None
