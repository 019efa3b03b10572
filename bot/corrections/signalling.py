"""Owners' reactions: 👀 says that somebody has the question, ✅ that it is done."""

from datetime import datetime

from bot.domain.card import Card
from bot.domain.signal import Signal, SignalKind
from bot.ports import Clock, Store
from bot.questions.cards import update_card, whole_card


class Signalling:
    """Owners' reactions; the card shows the one that counts. The caller checks who is an owner."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def card(self, team: str, channel: str, ts: str) -> Card | None:
        """Return the card of the question that this message asked, or whose card it is; None for other messages.

        It holds both questions of a message that asks two.
        """
        async with self._store.snapshot() as tx:
            question = await tx.questions.of_message(team, channel, ts)
            return await whole_card(tx, question) if question else None

    async def note(
        self, question_id: str, ts: str, kind: SignalKind, by: str, at: datetime, *, withdrawn: bool = False
    ) -> bool:
        """Store that a person added or removed a reaction, and queue the card's update.

        An event that comes twice, or after a newer one, changes nothing.

        Args:
            question_id: The question.
            ts: The message that has the reaction.
            kind: The meaning of the reaction.
            by: The person.
            at: When Slack saw it.
            withdrawn: Whether the reaction was removed.

        Returns:
            Whether anything changed.
        """
        signal = Signal(question_id=question_id, message_ts=ts, kind=kind, by=by, at=at, withdrawn=withdrawn)
        async with self._store.transaction() as tx:
            question = await tx.questions.get(question_id, lock=True)
            if question is None or not await tx.signals.put(signal):
                return False
            await update_card(tx, question, self._clock.now())
        return True
