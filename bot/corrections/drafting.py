"""Drafts reasons that argue for the right category."""

import logging

from bot.domain.card import Card
from bot.domain.errors import ModelError
from bot.ports import Model, Store
from bot.questions.cards import card_of

log = logging.getLogger(__name__)


class Drafting:
    """A reason for a category that a member of staff may take or edit; it changes nothing by itself."""

    def __init__(self, store: Store, model: Model) -> None:
        self._store = store
        self._model = model

    async def reason(self, question_id: str, category: str) -> str | None:
        """Words that argue for this category: those that were said for it already, else a model's.

        None where there are none to be had: the question or category is unknown, or the model does not answer.
        """
        async with self._store.transaction() as tx:
            question = await tx.questions.get(question_id)
            card = await card_of(tx, question) if question else None
            serving = await tx.releases.serving()
        said = said_for(card, category) if card else None
        if said or card is None or serving is None or card.prompt.category(category) is None:
            return said
        try:
            # Under the card's own prompt: the category is one of its, whatever serves by now.
            return await self._model.reason(serving.model, card.prompt, card.question.text, category)
        except ModelError as error:
            log.info("no reason was drafted: %s", type(error).__name__)
            return None


def said_for(card: Card, category: str) -> str | None:
    """What staff, or else the verdict, said for this very category."""
    if card.settled and card.settled.category == category and card.settled.reason:
        return card.settled.reason
    return card.verdict.reason if card.verdict.category == category else None
