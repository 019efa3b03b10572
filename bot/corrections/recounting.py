"""An asker's own last questions, with what became of them."""

from bot.domain.card import Card
from bot.ports import Store
from bot.questions.cards import card_of


class Recounting:
    """A reader of the last questions of one asker; it changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def last(self, asker: str, n: int) -> list[Card]:
        """Return the cards of the person's last `n` answered questions, newest first."""
        async with self._store.transaction() as tx:
            cards = [await card_of(tx, question) for question in await tx.questions.last_of(asker, n)]
        return [card for card in cards if card]
