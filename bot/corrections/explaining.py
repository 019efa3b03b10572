"""The explanation of an answer: the release that gave it, and similar settled questions."""

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
from bot.questions.recalling import Recalling

MOST_SIMILAR = 3
"""Upper bound of similar questions in an explanation."""
HISTORY_SEARCHED = 10_000
"""Upper bound of release history entries that are searched, newest first."""


class Explanation(Thing):
    """An answer and its origin."""

    card: Card
    release: Release
    """The release that answered; it may no longer be serving."""
    serving_since: datetime | None
    """Start of the period in which the release answered; None if the history does not tell."""
    nearest: tuple[Neighbour, ...]
    """The settled questions most similar to it today, without the question itself. Readers of its channel can read each
    of them: they are public, or were asked in the same channel."""
    second: str | None = None
    """Id of the second question of the same message."""


class Explaining:
    """A reader of what the database holds about an answer; it changes nothing."""

    def __init__(self, store: Store, neighbours: Neighbours) -> None:
        self._store = store
        self._recalling = Recalling(store, neighbours)

    async def answer(self, question_id: str | None, team: str, channel: str, ts: str) -> Explanation:
        """Explain the newest verdict of a question.

        Args:
            question_id: The id on the bot's card; None if the message is the question itself.
            team: The team of the message that somebody asks about.
            channel: The channel of that message; a question is explained only in its own channel.
            ts: The ts of that message.

        Raises:
            Refused: UNKNOWN_QUESTION, also if the question is of another channel.
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
            second = await tx.questions.second(card.question)
            history = await tx.releases.history(HISTORY_SEARCHED)
        since = next(
            (
                event.at
                for event in history
                if (event.release_id, event.state) == (release.id, ReleaseState.SERVING) and event.at <= card.verdict.at
            ),
            None,
        )
        return Explanation(
            card=card,
            release=release,
            serving_since=since,
            nearest=tuple(await self._nearest(card.question)),
            second=second.id if second else None,
        )

    async def _nearest(self, question: Question) -> Sequence[Neighbour]:
        found = await self._recalling.nearest(question.text, MOST_SIMILAR + 1, channel=question.place.channel)
        return [neighbour for neighbour in found if neighbour.row_id != question.id][:MOST_SIMILAR]
