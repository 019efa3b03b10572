"""Answers that owners wrote, kept for the next asker: as a category's guide, or the question as a further example."""

from bot.current_prompt import current_prompt
from bot.domain.audience import Audience
from bot.domain.card import Card
from bot.domain.errors import Reason, Refused
from bot.domain.masking import masked
from bot.domain.prompt import Category
from bot.ports import Store, Transaction
from bot.questions.cards import card_of
from bot.releases.prompting import PromptChange, Prompting


class Keeping:
    """An owner's answer, kept as a guide or an example. The caller checks that the person is staff.

    A guide takes effect at once, as any change of a guide does. An example makes a candidate with a new prompt, which
    serves only once an admin switches to it.
    """

    def __init__(self, store: Store, prompting: Prompting) -> None:
        self._store = store
        self._prompting = prompting

    async def card(self, team: str, channel: str, thread: str) -> Card:
        """Return the card of the question that a thread is about, with both questions of a message that asks two.

        Raises:
            Refused: UNKNOWN_QUESTION; NOT_PUBLIC if only some people can read the thread.
        """
        async with self._store.snapshot() as tx:
            question = await tx.questions.of_message(team, channel, thread)
            card = await self._public_card(tx, question.id if question else "")
            second = await tx.questions.second(card.question)
            return card.model_copy(update={"second": await card_of(tx, second)}) if second else card

    async def as_guide(self, question_id: str, text: str, by: str) -> PromptChange:
        """Make this text, masked, the guide of the question's category.

        Raises:
            Refused: UNKNOWN_QUESTION, NOT_PUBLIC, UNKNOWN_CATEGORY, PROMPT_CHANGED.
        """
        seen, category, _ = await self._category(question_id)
        return await self._prompting.save(seen, category.model_copy(update={"guide": masked(text)}), by)

    async def as_example(self, question_id: str, by: str) -> PromptChange:
        """Add the question to the examples of its category, if it is not one yet.

        Raises:
            Refused: As for `as_guide`.
        """
        seen, category, text = await self._category(question_id)
        examples = tuple(dict.fromkeys((*category.examples, " ".join(text.split()))))
        return await self._prompting.save(seen, category.model_copy(update={"examples": examples}), by)

    async def _category(self, question_id: str) -> tuple[str, Category, str]:
        """Return the current prompt's id, the question's category in it, and the question's text."""
        async with self._store.snapshot() as tx:
            card = await self._public_card(tx, question_id)
            prompt = await current_prompt(tx)
        chosen = (card.settled or card.verdict).category
        category = prompt.category(chosen)
        if category is None:
            raise Refused(Reason.UNKNOWN_CATEGORY, category=chosen)
        return prompt.id, category, card.question.text

    async def _public_card(self, tx: Transaction, question_id: str) -> Card:
        question = await tx.questions.get(question_id)
        card = await card_of(tx, question) if question else None
        if question is None or card is None:
            raise Refused(Reason.UNKNOWN_QUESTION)
        if question.audience is not Audience.PUBLIC or question.withheld:
            raise Refused(Reason.NOT_PUBLIC)
        return card
