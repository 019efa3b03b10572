"""An asker's decision about a direct message, on a real store: what it starts, and what it never does."""

from collections import Counter

import pytest

from bot.corrections.sending import Sending
from bot.domain.audience import Audience
from bot.domain.consent import Author
from bot.domain.errors import Reason, Refused
from bot.domain.question import Disclosure, Question, Via
from bot.domain.release import ReleaseState
from bot.questions.arrivals import CONSENT_TOPIC, REPLY_TOPIC, SENT_TOPIC
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import arrival, row
from tests.kits.correction_desk import CorrectionDesk
from tests.kits.fakes import StepClock

OPEN_TOPICS = ("card", "shadow", CONSENT_TOPIC, SENT_TOPIC, REPLY_TOPIC)
TOMO = Author(id="U7", channel="C9", ts="7.000100")


class DirectDesk(CorrectionDesk):
    """A question in a direct message that quotes a colleague, and what its asker decides."""

    def __init__(self, store: SqlStore, clock: StepClock) -> None:
        super().__init__(store, clock)
        self.neighbours = RowNeighbours(store)
        self.sending = Sending(store, self.neighbours, clock)

    async def ask_directly(self) -> None:
        direct = {"via": Via.DM, "audience": Audience.DIRECT, "quotes": ("有給は？",), "authors": (TOMO,)}
        await self.ask_arrival(arrival().model_copy(update=direct))

    async def kept(self) -> Question:
        async with self.store.transaction() as tx:
            question = await tx.questions.get(self.question)
        assert question is not None
        return question

    async def queued(self) -> dict[str, int]:
        """Return topic → number of entries in the outbox."""
        async with self.store.transaction() as tx:
            found = Counter({topic: (await tx.outbox.lag(self.clock.now(), topic))[0] for topic in OPEN_TOPICS})
        return dict(+found)

    async def refusal(self, by: str = "U1", category: str = "labor") -> Reason:
        with pytest.raises(Refused) as refused:
            await self.sending.send(self.question, by, category, named=True)
        return refused.value.reason


@pytest.fixture
async def desk(store: SqlStore, clock: StepClock) -> DirectDesk:
    desk = DirectDesk(store, clock)
    async with store.transaction() as tx:
        serving = await tx.releases.serving()
        assert serving
        await tx.releases.add(serving.model_copy(update={"id": "r2", "state": ReleaseState.SHADOW}), "U3", "shadow")
    await desk.ask_directly()
    return desk


async def test_nothing_is_queued_before_it_is_sent(desk: DirectDesk) -> None:
    assert await desk.queued() == {}
    await desk.sending.keep(desk.question, "U1")
    assert await desk.queued() == {"card": 1}
    assert (await desk.kept()).disclosure is Disclosure.KEPT


async def test_sending_is_final_and_asks_authors(desk: DirectDesk) -> None:
    for by in ("U2", "U7", ""):
        assert await desk.refusal(by) is Reason.NOT_ASKER
    assert await desk.refusal(category="gone") is Reason.UNKNOWN_CATEGORY
    await desk.sending.send(desk.question, "U1", "labor", named=False)
    assert await desk.queued() == {"card": 1, "shadow": 1, CONSENT_TOPIC: 1, SENT_TOPIC: 1}
    assert (await desk.kept()).shown_asker is None
    assert await desk.refusal() is Reason.ALREADY_SENT
    with pytest.raises(Refused):
        await desk.sending.keep(desk.question, "U1")
    assert (await desk.queued())[SENT_TOPIC] == 1


async def test_question_of_a_channel_cannot_be_sent(store: SqlStore, clock: StepClock) -> None:
    desk = DirectDesk(store, clock)
    await desk.ask()
    assert await desk.refusal() is Reason.UNKNOWN_QUESTION


async def test_row_from_before_returns_when_sent(desk: DirectDesk) -> None:
    question = await desk.kept()
    async with desk.store.transaction() as tx:
        await tx.questions.edit(question.model_copy(update={"authors": ()}))
        await tx.questions.disclose(question.id, Disclosure.NAMED, desk.clock.now())
    await desk.press("it", seen=0)
    async with desk.store.transaction() as tx:
        await tx.questions.disclose(question.id, Disclosure.KEPT, desk.clock.now())
    assert await desk.row() is None
    assert await desk.neighbours.near(question.text) == []
    desk.clock.advance(minutes=5)
    await desk.sending.send(question.id, "U1", "labor", named=True)
    kept = await desk.row()
    assert kept is not None
    assert (kept.category, kept.settled_at) == ("it", desk.clock.now())
    assert [near.category for near in await desk.neighbours.near(question.text)] == ["it"]


async def test_only_replies_to_sent_messages_are_passed_on(desk: DirectDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.rows.put(row("有給"))
        await tx.questions.save_sent(desk.question, "C9", "9.1")
    assert not await desk.sending.pass_on("C9", "9.2", "9.3")
    assert await desk.sending.pass_on("C9", "9.1", "9.3")
    assert (await desk.queued())[REPLY_TOPIC] == 1
