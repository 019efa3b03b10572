"""A mirrored store and its tracker, with time in the test's hands."""

from dataclasses import dataclass, field

import pytest

from bot.corrections.correcting import Correcting
from bot.domain.correction import Press
from bot.domain.mirrored import MIRROR_TOPIC, MirrorState
from bot.domain.question import Question, Verdict
from bot.mirror.outbound import LONGEST_WAIT, MirrorOutbound
from bot.mirror.status import mirror_state
from bot.releases.evaluating import Evaluating
from storage.store import SqlStore
from tests.bot.things import arrival
from tests.kits.answer_desk import AnswerDesk
from tests.kits.fakes import KeptNeighbours, RuleModel, StepClock
from tests.kits.fakes_acts import Board, CountingEstimator
from tests.kits.fakes_tracker import KeptTracker

WAIT = LONGEST_WAIT.total_seconds()


@dataclass
class MirrorDesk:
    """A mirrored house and its tracker."""

    store: SqlStore
    clock: StepClock
    model: RuleModel
    board: Board
    tracker: KeptTracker
    judges: Evaluating = field(init=False)
    mirroring: MirrorOutbound = field(init=False)

    def __post_init__(self) -> None:
        estimator = CountingEstimator()
        self.judges = Evaluating(
            self.store, self.model, self.clock, neighbours=KeptNeighbours(), estimator=estimator, pauses=()
        )
        self.mirroring = self.another()

    def another(self) -> MirrorOutbound:
        """As a new process."""
        return MirrorOutbound(self.store, self.tracker, self.judges, CountingEstimator(), self.clock)

    async def asked(self, text: str = "有給は何日前？", n: int = 1) -> tuple[Question, Verdict]:
        await AnswerDesk(self.store, self.model, self.board, self.clock).ask(arrival(text, n))
        async with self.store.transaction() as tx:
            question = await tx.questions.at("T1", "C1", f"{n}.000100")
            verdict = await tx.questions.verdict(question.id) if question else None
        assert question
        assert verdict
        return question, verdict

    async def pressed(self, question: Question, category: str, seen: int = 0, by: str = "U2") -> None:
        press = Press(question_id=question.id, category=category, seen=seen, by=by)
        await Correcting(self.store, KeptNeighbours(), self.clock).settle(press)

    async def rounds(self, *, most: int = 200) -> int:
        """Mirror until nothing is left; how many rounds it took."""
        for n in range(most):
            if not await self.mirroring.mirror():
                return n
        pytest.fail("it never ends")

    async def lag(self) -> int:
        async with self.store.transaction() as tx:
            return (await tx.outbox.lag(self.clock.now(), MIRROR_TOPIC))[0]

    async def state(self) -> MirrorState:
        async with self.store.transaction() as tx:
            return await mirror_state(tx, self.clock.now())

    async def trouble(self) -> str | None:
        return (await self.state()).trouble
