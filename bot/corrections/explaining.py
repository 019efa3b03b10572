"""Why an answer was given, and by what."""

from collections.abc import Sequence
from datetime import datetime

from bot.domain.card import Card
from bot.domain.errors import Reason, Refused
from bot.domain.question import Question
from bot.domain.release import Release, ReleaseState
from bot.domain.similar import Neighbour
from bot.domain.thing import Thing
from bot.ports import Neighbours, Store
from bot.questions.cards import card_of

NEAREST = 3
HISTORY = 10_000
"""Entries of the releases' history that are looked through."""


class Explanation(Thing):
    """One answer and where it comes from."""

    card: Card
    release: Release
    """That answered; it may serve no longer."""
    serving_since: datetime | None
    """Since when it served at that time."""
    nearest: tuple[Neighbour, ...]
    """The settled questions that are most like it today, without itself."""


class Explaining:
    """Reads what the record holds of an answer; changes nothing."""

    def __init__(self, store: Store, neighbours: Neighbours) -> None:
        self._store = store
        self._neighbours = neighbours

    async def answer(self, question_id: str | None, team: str, channel: str, ts: str) -> Explanation:
        """Explain the newest verdict of a question.

        Args:
            question_id: what the bot's card says of it; None: the message is the question itself.
            team: where the message stands that somebody asks about. A card tells only in its own channel.
            channel: as `team`.
            ts: as `team`.

        Raises:
            Refused: UNKNOWN_QUESTION.
        """
        async with self._store.snapshot() as tx:
            if question_id is None:
                question = await tx.questions.at(team, channel, ts)
            else:
                question = await tx.questions.get(question_id)
            card = await card_of(tx, question) if question else None
            release = await tx.releases.get(card.verdict.release_id) if card else None
            if card is None or release is None or card.question.place.channel != channel:
                raise Refused(Reason.UNKNOWN_QUESTION)
            history = await tx.releases.history(HISTORY)
        since = next(
            (
                event.at
                for event in history
                if (event.release_id, event.state) == (release.id, ReleaseState.SERVING) and event.at <= card.verdict.at
            ),
            None,
        )
        return Explanation(
            card=card, release=release, serving_since=since, nearest=tuple(await self._nearest(card.question))
        )

    async def _nearest(self, question: Question) -> Sequence[Neighbour]:
        alike = await self._neighbours.nearest(question.text, NEAREST + 1)
        return [one for one in alike if one.row_id != question.id][:NEAREST]
