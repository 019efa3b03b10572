"""A mirrored store and its tracker, with a clock that the test moves."""

from dataclasses import dataclass, field

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.audience import Audience
from bot.domain.correction import Press
from bot.domain.mirrored import MIRROR_TOPIC, MirrorState
from bot.domain.question import Question, Verdict
from bot.mirror import outbound
from bot.mirror.outbound import MirrorOutbound
from bot.mirror.status import mirror_state
from bot.questions.delivering import OPERATORS_TOPIC
from bot.releases.evaluating import Evaluating
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import MemoryNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeAnnouncer
from tests.kits.fakes_tracker import MemoryTracker

WAIT = outbound.WAIT.longest.total_seconds()
"""Seconds after which the mirror has stopped backing off."""


@dataclass
class MirrorDesk:
    """A mirrored store, its tracker, and the mirror between them."""

    store: SqlStore
    clock: StepClock
    model: RuleModel
    board: FakeAnnouncer
    tracker: MemoryTracker
    evaluating: Evaluating = field(init=False)
    outbound: MirrorOutbound = field(init=False)

    def __post_init__(self) -> None:
        estimator = CountingEstimator()
        self.evaluating = Evaluating(
            self.store, self.model, self.clock, neighbours=MemoryNeighbours(), estimator=estimator, pauses=()
        )
        self.outbound = self.new_outbound()

    def new_outbound(self) -> MirrorOutbound:
        """Build a new outgoing mirror, as a new process does."""
        return MirrorOutbound(self.store, self.tracker, self.evaluating, CountingEstimator(), self.clock)

    async def ask(
        self, text: str = "有給は何日前？", n: int = 1, audience: Audience = Audience.PUBLIC
    ) -> tuple[Question, Verdict]:
        """Ask the n-th question, have it answered, and return it with its verdict."""
        asked = arrival(text, n).model_copy(update={"audience": audience})
        await AnswerDesk(self.store, self.model, self.board, self.clock).ask(asked)
        async with self.store.transaction() as tx:
            question = await tx.questions.at("T1", "C1", f"{n}.000100")
            verdict = await tx.questions.verdict(question.id) if question else None
        assert question
        assert verdict
        return question, verdict

    async def press(self, question: Question, category: str, seen: int = 0, by: str = "U2") -> None:
        """Settle a question as a press in Slack does."""
        press = Press(question_id=question.id, category=category, seen=seen, by=by)
        await Correcting(self.store, MemoryNeighbours(), self.clock).settle(press)

    async def mirror_all(self, *, most: int = 200) -> int:
        """Mirror until nothing is left, and return the number of rounds."""
        for n in range(most):
            if not await self.outbound.mirror():
                return n
        pytest.fail("it never ends")

    async def unsent(self) -> int:
        """Return the number of changes not sent yet."""
        async with self.store.transaction() as tx:
            return (await tx.outbox.lag(self.clock.now(), MIRROR_TOPIC))[0]

    async def state(self) -> MirrorState:
        async with self.store.transaction() as tx:
            return await mirror_state(tx, self.clock.now())

    async def operators(self) -> list[str]:
        """Return the keys of the messages to operators that wait in the outbox."""
        async with self.store.transaction() as tx:
            return [entry.key for entry in await tx.outbox.page(OPERATORS_TOPIC, 0, 100)]

    async def trouble(self) -> str | None:
        return (await self.state()).trouble
