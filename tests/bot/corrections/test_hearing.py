"""Askers' feedback: kept, shown on the card, told to the owner once, and first in the review queue."""

from datetime import timedelta

import pytest

from bot.corrections.hearing import TELL_AFTER, Hearing
from bot.corrections.reviewing import Reviewing
from bot.domain.audience import Audience
from bot.domain.errors import Reason, Refused
from bot.domain.feedback import FeedbackKind
from bot.domain.gain import QueueReason
from bot.questions.delivering import FEEDBACK_TOPIC, Delivering
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import MemoryNeighbours, StepClock
from tests.kits.fakes_acts import FakeAnnouncer

ASKER = "U1"


class HearingDesk(CorrectionDesk):
    """One answered question, the act that hears its asker, and the owner's messages."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        super().__init__(store, clock)
        self.hearing = Hearing(store, clock)
        self.board = FakeAnnouncer()

    async def hear(self, kind: FeedbackKind, words: str | None = None, by: str = ASKER) -> None:
        await self.hearing.hear(self.question, by, kind, words)

    async def kinds(self) -> list[FeedbackKind]:
        async with self.store.transaction() as tx:
            return [one.kind for one in await tx.feedback.of(self.question)]

    async def told(self) -> list[str | None]:
        """Deliver what is due after the delay, and return what owners were told."""
        self.clock.advance(seconds=TELL_AFTER / timedelta(seconds=1))
        async with self.store.transaction() as tx:
            await tx.questions.save_card(self.question, "9.card")
        self.board.cards.setdefault(self.question, [await self.correcting.card(self.question)])
        delivering = Delivering(self.store, self.board, self.clock)
        while await delivering.deliver_next():
            pass
        return [card.feedback.kind.value if card.feedback else None for card in self.board.feedback.values()]


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock) -> HearingDesk:
    desk = HearingDesk(store, clock)
    await desk.ask()
    return desk


async def test_owner_is_told_once_with_newest_reason(desk: HearingDesk) -> None:
    await desk.hear(FeedbackKind.NOT_HELPFUL)
    await desk.hear(FeedbackKind.WRONG_TEAM)
    await desk.hear(FeedbackKind.WRONG_TEAM)
    assert await desk.kinds() == [FeedbackKind.NOT_HELPFUL, FeedbackKind.WRONG_TEAM]
    assert await desk.told() == ["wrong_team"]
    await desk.hear(FeedbackKind.OTHER, "still nothing")
    assert await desk.told() == ["wrong_team"]


async def test_owner_is_not_told_what_is_solved(desk: HearingDesk) -> None:
    await desk.hear(FeedbackKind.NOT_HELPFUL)
    await desk.hear(FeedbackKind.SOLVED)
    assert await desk.told() == []
    card = await desk.correcting.card(desk.question)
    assert card.feedback
    assert card.feedback.helped


async def test_only_the_asker_is_heard(desk: HearingDesk) -> None:
    with pytest.raises(Refused) as refused:
        await desk.hear(FeedbackKind.SOLVED, by="U2")
    assert refused.value.reason is Reason.NOT_ASKER
    assert await desk.kinds() == []


async def test_askers_sentence_is_masked_and_no_row(desk: HearingDesk) -> None:
    await desk.hear(FeedbackKind.OTHER, "call me on 090-1234-5678")
    card = await desk.correcting.card(desk.question)
    assert card.feedback
    assert "090" not in (card.feedback.words or "")
    assert await desk.row() is None


async def test_nobody_is_told_about_direct_messages(store: SqlStore, clock: StepClock) -> None:
    desk = HearingDesk(store, clock)
    await desk.ask_arrival(arrival().model_copy(update={"audience": Audience.DIRECT}))
    await desk.hear(FeedbackKind.NEEDS_PERSON)
    async with store.transaction() as tx:
        assert (await tx.outbox.lag(clock.now(), FEEDBACK_TOPIC))[0] == 0


async def test_waiting_asker_comes_first_in_queue(desk: HearingDesk) -> None:
    neighbours = MemoryNeighbours()
    reviewing = Reviewing(desk.store, desk.correcting, neighbours, desk.clock)
    async with desk.store.transaction() as tx:
        await tx.questions.save_card(desk.question, "9.card")
    await desk.hear(FeedbackKind.NOT_HELPFUL)
    assert [entry.why for entry in await reviewing.queue()] == [QueueReason.ASKER]
    await desk.hear(FeedbackKind.SOLVED)
    assert [entry.why for entry in await reviewing.queue()] != [QueueReason.ASKER]
