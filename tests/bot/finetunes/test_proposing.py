"""Trainings that begin by themselves: when, what is proposed, and what makes a proposal void."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.domain.audience import Audience
from bot.domain.dataset import Split
from bot.domain.errors import Reason, Refused
from bot.domain.finetune import FinetuneState
from bot.domain.next_step import Step
from bot.domain.permission import PERMISSION_TOPIC
from bot.domain.prompt import Prompt
from bot.domain.proposal import Proposal, ProposalState
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.finetunes.budget import Spending
from bot.finetunes.glancing import Glance, Glancing
from bot.finetunes.proposing import Proposing
from bot.ports import Answer, Shelf
from bot.releases.evaluating import Evaluating
from bot.releases.releasing import Releasing
from bot.similarity.neighbours import RowNeighbours
from storage.store import SqlStore
from tests.bot.things import BASE, row, rows_of
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import CountingEstimator, FakeTrainer
from tests.kits.finetune_bench import FinetuneBench

LEARNED = "ft:base:1"


class LearningModel(RuleModel):
    """A model that knows nothing before it is trained."""

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        answer = await super().classify(model, prompt, text, examples, explain=explain)
        return answer if model.model == LEARNED else answer.model_copy(update={"category": "other"})


class ProposalDesk(FinetuneBench):
    """Rows that were confirmed, a trainer, and the act that proposes."""

    def __init__(self, store: SqlStore, shelf: Shelf, trainer: FakeTrainer, clock: StepClock) -> None:
        super().__init__(store, shelf, trainer, clock)
        self.model = LearningModel({"labor": "labor", "it": "it"})
        self.proposing = self.restarted()

    def restarted(self, *, on: bool = True) -> Proposing:
        acts = self.new_acts()
        evaluating = Evaluating(
            self.store,
            self.model,
            self.clock,
            neighbours=RowNeighbours(self.store),
            estimator=CountingEstimator(),
            per_second=dict.fromkeys(("local", "openai"), 10_000.0),
        )
        return Proposing(self.store, acts.planning, acts.starting, evaluating, acts.permitting, self.clock, on=on)

    async def confirm_rows(self, n: int = 12) -> None:
        self.clock.advance(minutes=1)
        found = [*rows_of(Split.TRAIN, "labor", n), *rows_of(Split.TRAIN, "it", n), *rows_of(Split.HELD_OUT, "it", 10)]
        await self.add([one.model_copy(update={"settled_at": self.clock.now()}) for one in found])
        self.clock.advance(minutes=1)

    async def train(self, model: str | None = LEARNED) -> None:
        """Take all steps of a training, with a new act for each, as if the app were killed in between."""
        for _ in range(3):
            await self.restarted().step()
            await self.acts.following.follow()
        *_, job = self.trainer.jobs
        self.trainer.set_status(job, "succeeded" if model else "failed", model)
        await self.acts.following.follow()
        await self.restarted().step()

    async def newest(self) -> Proposal | None:
        async with self.store.transaction() as tx:
            return next(reversed(await tx.proposals.within([*ProposalState])), None)

    async def state(self) -> ProposalState | None:
        found = await self.newest()
        return found.state if found else None


@pytest.fixture
def desk(store: SqlStore, shelf: Shelf, trainer: FakeTrainer, clock: StepClock) -> ProposalDesk:
    return ProposalDesk(store, shelf, trainer, clock)


async def test_clearly_better_version_is_proposed_once(desk: ProposalDesk) -> None:
    await desk.confirm_rows()
    await desk.train()
    found = await desk.newest()
    assert found is not None
    assert (found.state, found.broken, desk.trainer.requests["create"]) == (ProposalState.OPEN, 0, 1)
    assert found.fixed >= 10
    for _ in range(3):
        await desk.proposing.step()
    assert await desk.newest() == found
    async with desk.store.transaction() as tx:
        finetune = await tx.finetunes.get(found.finetune_id)
        told = await tx.outbox.page("finetune", 0, 10)
        shown = await tx.outbox.page("proposal", 0, 10)
    assert finetune is not None
    assert (finetune.state, len(told), len(shown)) == (FinetuneState.SUCCEEDED, 0, 1)


async def test_too_few_answers_or_off_start_nothing(desk: ProposalDesk) -> None:
    await desk.add([row(f"labor {n}") for n in range(19)])
    await desk.proposing.step()
    assert await desk.newest() is None
    await desk.confirm_rows()
    await desk.restarted(on=False).step()
    assert await desk.newest() is None


async def test_looking_for_enough_answers_waits_for_no_writer(desk: ProposalDesk) -> None:
    async with desk.store.transaction() as tx:
        await tx.rows.put(row("labor 1"))
        async with asyncio.timeout(10):
            await desk.proposing.step()


@pytest.mark.parametrize("model", ["ft:base:2", None], ids=["no better", "failed"])
async def test_training_that_brought_nothing_is_told_once(desk: ProposalDesk, model: str | None) -> None:
    await desk.confirm_rows()
    await desk.train(model)
    assert await desk.state() is ProposalState.DROPPED
    await desk.proposing.step()
    assert desk.trainer.requests["create"] == 1
    async with desk.store.transaction() as tx:
        assert len(await tx.outbox.page("proposal", 0, 10)) == 1


async def test_switch_takes_or_voids_the_proposal(desk: ProposalDesk) -> None:
    await desk.confirm_rows()
    await desk.train()
    proposal = await desk.newest()
    assert proposal is not None
    assert proposal.release_id is not None
    releasing = Releasing(desk.store, desk.clock)
    await releasing.switch(proposal.release_id, "U9")
    taken = await desk.newest()
    assert taken is not None
    assert (taken.state, taken.by) == (ProposalState.TAKEN, "U9")


async def test_declined_proposal_stays_declined(desk: ProposalDesk) -> None:
    await desk.confirm_rows()
    await desk.train()
    proposal = await desk.newest()
    assert proposal is not None
    await desk.proposing.decline(proposal.finetune_id, "U9")
    with pytest.raises(Refused) as refused:
        await desk.proposing.decline(proposal.finetune_id, "U8")
    assert refused.value.reason is Reason.ALREADY_CONFIRMED
    await desk.proposing.step()
    assert await desk.state() is ProposalState.DECLINED


async def test_newer_version_takes_the_older_ones_place(desk: ProposalDesk) -> None:
    await desk.confirm_rows()
    await desk.train()
    older = await desk.newest()
    await desk.confirm_rows(14)
    await desk.train()
    newer = await desk.newest()
    assert older is not None
    assert newer is not None
    assert newer.finetune_id != older.finetune_id
    async with desk.store.transaction() as tx:
        stored = await tx.proposals.get(older.finetune_id)
    assert stored is not None
    assert (stored.state, newer.state) == (ProposalState.SUPERSEDED, ProposalState.OPEN)


async def test_paid_training_begins_only_after_a_press(desk: ProposalDesk) -> None:
    desk.student = ModelName(provider="openai", model="gpt-4.1-nano")
    await desk.confirm_rows()
    for _ in range(3):
        await desk.restarted().step()
    asking = await desk.newest()
    assert asking is not None
    assert (asking.state, desk.trainer.requests["create"]) == (ProposalState.ASKING, 0)
    await desk.restarted().agree(asking.finetune_id, "U9")
    desk.acts = desk.new_acts()
    await desk.acts.following.follow()
    assert (await desk.state(), desk.trainer.requests["create"]) == (ProposalState.TRAINING, 1)


async def by_hand(desk: ProposalDesk, model: str) -> Evaluating:
    """Train as an admin does, with all automatic trainings off."""
    await desk.confirm_rows()
    acts = desk.new_acts()
    finetune, _ = await acts.planning.plan("U9", "en")
    await acts.starting.confirm(finetune.id, "U9")
    await acts.following.follow()
    *_, job = desk.trainer.jobs
    desk.trainer.set_status(job, "succeeded", model)
    await acts.following.follow()
    return Evaluating(
        desk.store,
        desk.model,
        desk.clock,
        neighbours=RowNeighbours(desk.store),
        estimator=CountingEstimator(),
        per_second=dict.fromkeys(("local", "openai"), 10_000.0),
    )


async def glance(desk: ProposalDesk, proposing: Proposing) -> Glance:
    spending, neighbours = Spending(CountingEstimator(), desk.clock, None), RowNeighbours(desk.store)
    return await Glancing(desk.store, proposing, spending, neighbours, desk.clock, BASE, desk.acts.permitting).glance()


@pytest.mark.parametrize(("model", "after"), [(LEARNED, Step.SWITCH), ("ft:base:2", Step.CONFIRM)])
async def test_hand_trained_version_is_compared_then_offered(desk: ProposalDesk, model: str, after: Step) -> None:
    evaluating, proposing = await by_hand(desk, model), desk.restarted(on=False)
    seen = await glance(desk, proposing)
    assert (seen.step, seen.next.name) == (Step.COMPARE, f"v{seen.newest}")
    assert seen.candidate is not None
    for _ in range(2):
        await proposing.note(await evaluating.evaluate(seen.candidate))
    assert (await glance(desk, proposing)).step is after
    async with desk.store.transaction() as tx:
        assert await tx.outbox.page("proposal", 0, 10) == [], "the comparison was answered, so nobody else is told"
    if after is Step.SWITCH:
        await Releasing(desk.store, desk.clock).switch(seen.candidate.id, "U9")
        assert (await desk.state(), (await glance(desk, proposing)).step) == (ProposalState.TAKEN, Step.CONFIRM)


async def asked(desk: ProposalDesk) -> list[tuple[str, dict[str, str]]]:
    async with desk.store.transaction() as tx:
        return [(entry.key, entry.payload) for entry in await tx.outbox.page(PERMISSION_TOPIC, 0, 10)]


async def test_training_waits_for_permission_of_company(desk: ProposalDesk) -> None:
    desk.allowed = False
    await desk.confirm_rows()
    for _ in range(3):
        await desk.restarted().step()
    assert (await desk.newest(), await asked(desk)) == (None, [("local/base", {})])
    await desk.new_acts().permitting.allow("U9", BASE)
    await desk.train()
    assert await desk.state() is ProposalState.OPEN
    assert len(await asked(desk)) == 1


async def test_prepared_training_waits_for_permission_too(desk: ProposalDesk) -> None:
    """It was planned by a program that asked for none. It is not dropped, and goes on once it is allowed."""
    await desk.confirm_rows()
    finetune, _ = await desk.acts.planning.plan("madoguchi", "en")
    now = desk.clock.now()
    planned = Proposal(finetune_id=finetune.id, state=ProposalState.TRAINING, created_at=now, updated_at=now)
    async with desk.store.transaction() as tx:
        await tx.proposals.add(planned)
    desk.allowed = False
    await desk.restarted().step()
    assert (await desk.state(), desk.trainer.requests["create"]) == (ProposalState.TRAINING, 0)
    await desk.new_acts().permitting.allow("U9", BASE)
    await desk.train()
    assert await desk.state() is ProposalState.OPEN


async def test_upgraded_installation_is_told_that_training_paused(desk: ProposalDesk) -> None:
    await desk.confirm_rows()
    await desk.train()
    desk.allowed = False
    for _ in range(3):
        await desk.restarted(on=False).step()
    assert await asked(desk) == [("local/base", {"paused": "yes"})]


async def test_private_answers_propose_no_hosted_training(desk: ProposalDesk) -> None:
    """The same file would be trained again, for money."""
    private = [one.model_copy(update={"audience": Audience.PRIVATE}) for one in rows_of(Split.TRAIN, "labor", 30)]
    await desk.add([*rows_of(Split.TRAIN, "it", 12), *private])
    await desk.proposing.step()
    assert await desk.newest() is None
