"""Trainings that start by themselves, and the proposal of a version that is clearly better."""

import logging

from bot.dataset.permitting import Permitting
from bot.domain.errors import Reason, Refused
from bot.domain.evaluation import Evaluation
from bot.domain.finetune import ENDED_STATES, Finetune, FinetuneState
from bot.domain.gate import Outcome
from bot.domain.proposal import NEW_ANSWERS, PREPARED, PROPOSAL_TOPIC, Proposal, ProposalState
from bot.domain.release import EMBEDDED, SYSTEM, Release
from bot.finetunes.planning import Planning
from bot.finetunes.starting import Starting
from bot.ports import Clock, Store, Transaction
from bot.releases.evaluating import Evaluating
from bot.releases.proposals import move_proposal

log = logging.getLogger(__name__)


class Proposing:
    """Automatic training once enough was confirmed: a comparison follows, and a proposal if the gate is passed.

    Each step is stored before the next one begins, so that another replica goes on after a crash. A training that costs
    money begins only after an admin's press. While no training is allowed, none is planned: the admins are asked once.
    """

    def __init__(  # noqa: PLR0913 - every port is needed
        self,
        store: Store,
        planning: Planning,
        starting: Starting,
        evaluating: Evaluating,
        permitting: Permitting,
        clock: Clock,
        *,
        on: bool,
    ) -> None:
        self._permitting = permitting
        self._store = store
        self._planning = planning
        self._starting = starting
        self._evaluating = evaluating
        self._clock = clock
        self._on = on
        self._refused_at = 0
        """Number of new answers at which no training could be planned; more of them are waited for."""

    async def step(self) -> None:
        """Take the next step. A periodic task of one replica calls this.

        Raises:
            ModelDown, ModelRefused: The comparison got no answers; the next call goes on with it.
        """
        # No writer waits while many rows are counted.
        async with self._store.snapshot() as tx:
            permission = await self._permitting.read(tx)
            new = await tx.rows.settled_since_training(private=permission.private)
            trained = not permission.allowed and bool(await tx.finetunes.newest(1))
            prepared = await tx.proposals.within(PREPARED) if self._on else []
            is_time = self._on and permission.allowed and not prepared and new >= NEW_ANSWERS and new > self._refused_at
            begins = is_time and not await tx.finetunes.under_way()
        if not permission.allowed and (trained or new >= NEW_ANSWERS):
            async with self._store.transaction() as tx:
                await self._permitting.ask_once(tx, paused=trained)
        for proposal in prepared:
            await self._follow(proposal)
        if begins:
            await self._begin(new)

    async def new_answers(self, tx: Transaction) -> int:
        """Return how many answers were confirmed since the last training, or since the last one was proposed.

        Answers that the student's trainer may not get do not count.
        """
        return await tx.rows.settled_since_training(private=(await self._permitting.read(tx)).private)

    async def agree(self, finetune_id: str, by: str) -> Finetune:
        """Start the paid training that a proposal asks about.

        Raises:
            Refused: ALREADY_CONFIRMED, if somebody else has answered; as in `Starting.confirm`.
        """
        async with self._store.transaction() as tx:
            proposal = await tx.proposals.get(finetune_id)
        if proposal is None or proposal.state is not ProposalState.ASKING:
            raise Refused(Reason.ALREADY_CONFIRMED)
        finetune = await self._starting.confirm(finetune_id, by)
        await self._move(proposal, ProposalState.ASKING, state=ProposalState.TRAINING, by=by)
        return finetune

    async def decline(self, finetune_id: str, by: str) -> None:
        """Say that now is not the time. The next proposal comes after as many new answers again.

        Raises:
            Refused: ALREADY_CONFIRMED, if the proposal stands no longer.
        """
        async with self._store.transaction() as tx:
            proposal = await tx.proposals.get(finetune_id)
        if proposal is None or proposal.state not in {ProposalState.ASKING, ProposalState.OPEN}:
            raise Refused(Reason.ALREADY_CONFIRMED)
        await self._move(proposal, proposal.state, state=ProposalState.DECLINED, by=by)

    async def note(self, evaluation: Evaluation) -> None:
        """Keep the result of an admin's own comparison of a trained version, so that App Home offers the next step.

        Nobody is told: the comparison itself was answered. An earlier proposal of the version stays as it is.
        """
        finetune_id, now = evaluation.release.finetune_id, self._clock.now()
        if finetune_id is None or evaluation.decision is None:
            return
        async with self._store.transaction() as tx:
            finetune, serving = await tx.finetunes.get(finetune_id), await tx.releases.serving(lock=True)
            known = await tx.proposals.get(finetune_id)
            if finetune is None or known or serving is None or serving.id != evaluation.decision.serving:
                return
            times = {"created_at": finetune.created_at, "updated_at": now}
            found = _with_figures(Proposal(finetune_id=finetune_id, state=ProposalState.DROPPED, **times), evaluation)
            if found.state is ProposalState.OPEN:
                for older in await tx.proposals.within([ProposalState.OPEN]):
                    await move_proposal(tx, older, ProposalState.OPEN, now, state=ProposalState.SUPERSEDED)
            await tx.proposals.add(found)

    async def _begin(self, new: int) -> None:
        try:
            finetune, _ = await self._planning.plan(SYSTEM, "en")
        except Refused as refused:
            log.info("no training is proposed: %s", refused.reason.value)
            self._refused_at = new
            return
        free, now = finetune.student.provider == EMBEDDED, self._clock.now()
        state = ProposalState.TRAINING if free else ProposalState.ASKING
        proposal = Proposal(
            finetune_id=finetune.id, state=state, created_at=now, updated_at=now, usd=finetune.estimate.usd
        )
        async with self._store.transaction() as tx:
            await tx.proposals.add(proposal)
            if not free:
                await tx.outbox.add(PROPOSAL_TOPIC, finetune.id, {}, now)
        if free:
            await self._follow(proposal)

    async def _follow(self, proposal: Proposal) -> None:
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(proposal.finetune_id)
            newest = await tx.finetunes.newest(1)
            releases = [one for one in await tx.releases.all() if one.finetune_id == proposal.finetune_id]
        if finetune is None:
            return
        planned, was = finetune.state is FinetuneState.PLANNED, proposal.state
        if planned and newest and newest[0].created_at > finetune.created_at:
            await self._move(proposal, was, state=ProposalState.SUPERSEDED)  # an admin has trained meanwhile
        elif planned and was is ProposalState.TRAINING:
            await self._confirm(proposal)
        elif not planned and was is ProposalState.ASKING:
            # A process died after the admin's press was stored, before this state was.
            await self._move(proposal, was, state=ProposalState.TRAINING)
        elif finetune.state is FinetuneState.SUCCEEDED and releases:
            await self._compare(proposal, releases[-1])
        elif finetune.state in ENDED_STATES - {FinetuneState.SUCCEEDED}:
            await self._move(proposal, was, state=ProposalState.DROPPED)

    async def _confirm(self, proposal: Proposal) -> None:
        try:
            await self._starting.confirm(proposal.finetune_id, SYSTEM)
        except Refused as refused:
            if refused.reason is Reason.TRAINING_NOT_ALLOWED:
                return  # the proposal stays in TRAINING until an admin permits the training
            log.info("a training that began by itself was given up: %s", refused.reason.value)
            await self._move(proposal, ProposalState.TRAINING, state=ProposalState.DROPPED)

    async def _compare(self, proposal: Proposal, release: Release) -> None:
        """Propose the version if it is clearly better, in place of an older proposal."""
        compared = _with_figures(proposal, await self._evaluating.evaluate(release))
        async with self._store.transaction() as tx:
            now, serving = self._clock.now(), await tx.releases.serving(lock=True)
            if compared.state is ProposalState.OPEN:
                if serving is None or serving.id != compared.over:
                    return  # the next step compares it with the version that serves now
                for older in await tx.proposals.within([ProposalState.OPEN]):
                    await move_proposal(tx, older, ProposalState.OPEN, now, state=ProposalState.SUPERSEDED)
            await move_proposal(tx, compared, proposal.state, now)

    async def _move(self, proposal: Proposal, was: ProposalState, **changes: object) -> None:
        async with self._store.transaction() as tx:
            await move_proposal(tx, proposal, was, self._clock.now(), **changes)


def _with_figures(proposal: Proposal, evaluation: Evaluation) -> Proposal:
    """Return the proposal with what the comparison found, as it would be proposed if the gate passed it."""
    decision = evaluation.decision
    if decision is None:
        # Somebody has switched to it meanwhile.
        return proposal.model_copy(update={"state": ProposalState.TAKEN, "release_id": evaluation.release.id})
    comparison, passed = decision.comparison, decision.outcome is Outcome.PASSED
    figures = {
        "state": ProposalState.OPEN if passed else ProposalState.DROPPED,
        "release_id": evaluation.release.id,
        "over": decision.serving,
        "fixed": comparison.better if comparison else 0,
        "broken": comparison.worse if comparison else 0,
        "missing": decision.missing,
    }
    return proposal.model_copy(update=figures)
