"""The Monday summary: when it is sent, what week it is about, and off and on."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.audience import Audience
from bot.domain.digest import DIGEST_TOPIC, Digest
from bot.domain.question import Place, Question, Verdict, Via
from bot.finetunes.budget import Spending
from bot.finetunes.digesting import Digesting
from bot.finetunes.glancing import Glancing
from bot.finetunes.proposing import Proposing
from bot.ports import Shelf
from bot.questions.delivering import Delivering
from bot.releases.evaluating import Evaluating
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import BASE
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer, FakeTrainer
from tests.kits.finetune_bench import FinetuneBench

TOKYO = timedelta(hours=9)
MONDAY = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
"""The beginning of Monday, 23 November, in Tokyo."""


class SummaryDesk(FinetuneBench):
    """A workspace in Tokyo, with the act that summarises."""

    def __init__(self, store: SqlStore, shelf: Shelf, trainer: FakeTrainer, clock: StepClock) -> None:
        super().__init__(store, shelf, trainer, clock)
        self.announcer = FakeAnnouncer()
        self.announcer.offset = TOKYO
        self.queued = 0
        """Number of summaries that were ever queued."""
        self.delivering = Delivering(store, self.announcer, clock)

    def replica(self) -> Digesting:
        estimator, neighbours = CountingEstimator(), RowNeighbours(self.store)
        evaluating = Evaluating(self.store, RuleModel({}), self.clock, neighbours=neighbours, estimator=estimator)
        acts = self.acts
        proposing = Proposing(
            *(self.store, acts.planning, acts.starting, evaluating, acts.permitting, self.clock), on=True
        )
        spending = Spending(estimator, self.clock, None)
        glancing = Glancing(self.store, proposing, spending, neighbours, self.clock, BASE, self.acts.permitting)
        return Digesting(self.store, glancing, self.announcer, self.clock)

    async def ask(self, n: int, at: datetime) -> None:
        async with self.store.transaction() as tx:
            serving = await tx.releases.serving()
            assert serving is not None
            place = Place(team="T1", channel="C1", ts=f"{n}.1")
            asked = {"id": f"q{n}", "text": "有給は？", "asker": "U1", "asked_at": at, "audience": Audience.PUBLIC}
            await tx.questions.add(Question(place=place, via=Via.CHANNEL, language="ja", card_ts=f"{n}.2", **asked))
            answer = {"category": "labor", "reason": "", "confidence": 0.9, "latency_ms": 1, "at": at}
            known = {"id": f"v{n}", "question_id": f"q{n}", "release_id": serving.id}
            await tx.questions.add_verdict(Verdict(tokens_in=0, tokens_out=0, **known, **answer))

    async def at(self, now: datetime) -> list[Digest]:
        """Let two replicas look at this time; return what was posted until now."""
        self.clock.advance(seconds=(now - self.clock.now()).total_seconds())
        for replica in (self.replica(), self.replica()):
            await replica.tick()
        async with self.store.transaction() as tx:
            self.queued += len(await tx.outbox.page(DIGEST_TOPIC, 0, 10))
        while await self.delivering.deliver_next():
            pass
        return self.announcer.digests


@pytest.fixture
def desk(store: SqlStore, shelf: Shelf, trainer: FakeTrainer, clock: StepClock) -> SummaryDesk:
    return SummaryDesk(store, shelf, trainer, clock)


async def test_summary_comes_once_on_monday_at_nine(desk: SummaryDesk) -> None:
    last_week = MONDAY - timedelta(weeks=1)
    for n, at in enumerate((last_week - timedelta(seconds=1), last_week, MONDAY - timedelta(seconds=1), MONDAY)):
        await desk.ask(n, at)
    assert await desk.at(MONDAY + timedelta(hours=8, minutes=59)) == []
    (sent,) = await desk.at(MONDAY + timedelta(hours=9))
    assert (sent.asked.public, sent.asked_before.public) == ({"labor": 2}, {"labor": 1})
    assert sent.waiting is not None
    assert (sent.waiting.ts, sent.next.confirm) == ("1.1", 20)
    await desk.at(MONDAY + timedelta(hours=23))
    assert desk.queued == 1
    (_, following) = await desk.at(MONDAY + timedelta(weeks=1, hours=9))
    assert following.asked.public == {"labor": 1}


async def test_late_start_catches_up_on_monday_only(desk: SummaryDesk) -> None:
    await desk.ask(1, MONDAY - timedelta(days=1))
    await desk.ask(2, MONDAY + timedelta(days=1))
    assert await desk.at(MONDAY + timedelta(days=1, minutes=1)) == []
    assert len(await desk.at(MONDAY + timedelta(weeks=1, hours=23, minutes=59))) == 1
    assert len(await desk.at(MONDAY + timedelta(weeks=2, hours=9))) == 1  # nobody asked anything


async def test_summary_is_off_until_resumed(desk: SummaryDesk) -> None:
    await desk.ask(1, MONDAY - timedelta(days=1))
    await desk.ask(2, MONDAY + timedelta(days=1))
    await desk.replica().stop("U9")
    assert await desk.at(MONDAY + timedelta(hours=9)) == []
    assert await desk.replica().stopped_by() == "U9"
    await desk.replica().resume()
    assert len(await desk.at(MONDAY + timedelta(weeks=1, hours=9))) == 1
    assert desk.queued == 1
