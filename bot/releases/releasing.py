"""Releases: the serving one, the candidates, and the switches and rollbacks between them."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from bot.current_prompt import configure
from bot.domain.audit import AuditAct
from bot.domain.errors import Reason, Refused
from bot.domain.evaluation import Evaluation
from bot.domain.fallback import FALLBACK_RECALL, Fallback
from bot.domain.gate import LEAST_SENTENCE, Outcome
from bot.domain.prompt import Prompt
from bot.domain.proposal import ProposalState
from bot.domain.release import SYSTEM, ModelName, Release, ReleaseEvent, ReleaseState
from bot.domain.thing import Thing
from bot.ports import Clock, Store, Transaction
from bot.questions.cards import models_asked
from bot.releases.evaluating import Evaluating, OnProgress
from bot.releases.proposals import move_proposal

ROLLBACK = "rollback"
OVERRIDE = "override"
"""Kind of a switch that an admin made without a pass of the gate, with a sentence that says why."""


SWITCHES = {ROLLBACK: AuditAct.ROLLED_BACK, OVERRIDE: AuditAct.OVERRIDDEN}
"""Reason of a switch → its act in the audit log, unless that is `SWITCHED`."""


class Attempt(Thing):
    """The result of an attempt to switch.

    Attributes:
        evaluation: The figures that the gate decided on.
        served: The release that now serves; None if the gate did not pass it.
    """

    evaluation: Evaluation
    served: Release | None


class Releasing:
    """Switches and rollbacks. Each is one transaction, and the new release answers the next question.

    Every serving release gets a fallback release, chosen by the rule `fallback`.
    """

    def __init__(self, store: Store, clock: Clock, fallback: Fallback | None = None) -> None:
        self._store = store
        self._clock = clock
        self._fallback = fallback or Fallback()

    async def ensure(self, prompt: Prompt, model: ModelName) -> Release:
        """Store the configured prompt at the start, make sure that a release serves, and return the serving one.

        A changed prompt or model makes a new release. The new release serves at once if the old one was configured
        too. If a person chose the old one, the new release stays a candidate, so that the choice survives a restart.
        """
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving(lock=True)
            await configure(tx, prompt, self._clock.now())
            wanted = await self._configured(tx, prompt, model)
            if serving and (serving.id == wanted.id or not await self._by_configuration(tx)):
                await self._ensure_fallback(tx, serving)
                return serving
            return await self._serve(tx, wanted, serving, SYSTEM, "configured")

    async def _configured(self, tx: Transaction, prompt: Prompt, model: ModelName) -> Release:
        for release in await tx.releases.all():
            if (release.model, release.prompt_id, release.recall) == (model, prompt.id, model.default_recall):
                return release
        now, recall = self._clock.now(), model.default_recall
        return await add_candidate(tx, now, model, prompt_id=prompt.id, by=SYSTEM, why="configured", recall=recall)

    async def _by_configuration(self, tx: Transaction) -> bool:
        newest = next(e for e in await tx.releases.history() if e.state is ReleaseState.SERVING)
        return newest.by == SYSTEM

    async def _serve(
        self, tx: Transaction, release: Release, old: Release | None, by: str, why: str, note: str | None = None
    ) -> Release:
        now = self._clock.now()
        if old:
            await tx.releases.enter(old.id, ReleaseState.RETIRED, by, why, now)
        await tx.releases.enter(release.id, ReleaseState.SERVING, by, why, now, note)
        if by != SYSTEM:
            await tx.outbox.add("switch", release.id, {"by": by} | ({"note": note} if note else {}), now)
        for proposal in await tx.proposals.within([ProposalState.OPEN]):
            taken = proposal.release_id == release.id
            state = ProposalState.TAKEN if taken else ProposalState.SUPERSEDED
            await move_proposal(tx, proposal, ProposalState.OPEN, now, state=state, by=by if taken else None)
        await self._ensure_fallback(tx, release)
        if by != SYSTEM:
            await tx.audit.add(by, SWITCHES.get(why, AuditAct.SWITCHED), now, release.name)
        return release.model_copy(update={"state": ReleaseState.SERVING})

    async def _ensure_fallback(self, tx: Transaction, serving: Release) -> None:
        """Make sure that there is a release on the same prompt that can answer when this one cannot."""
        model = self._fallback.wanted(serving)
        if model and self._fallback.among(await tx.releases.all(), serving) is None:
            why, now = "fallback", self._clock.now()
            await add_candidate(tx, now, model, prompt_id=serving.prompt_id, by=SYSTEM, why=why, recall=FALLBACK_RECALL)

    async def models_asked(self) -> list[ModelName]:
        """Return the models that get each question now."""
        async with self._store.snapshot() as tx:
            return await models_asked(tx)

    async def serving(self) -> Release:
        """Return the serving release.

        Raises:
            LookupError: `ensure` has not been called yet.
        """
        async with self._store.transaction() as tx:
            release = await tx.releases.serving()
        if release is None:
            raise LookupError("no release serves")
        return release

    async def choices(self) -> list[Release]:
        """Return all releases that can be switched to, newest first."""
        async with self._store.transaction() as tx:
            return [r for r in await tx.releases.all() if r.state is not ReleaseState.SERVING]

    async def named(self, name: str) -> Release:
        """Return the release that a person means by its name (`v4`), its id, a model's name or a fine-tune's id.

        The start of an id will do.

        Raises:
            Refused: UNKNOWN_RELEASE, AMBIGUOUS_RELEASE, NOT_SUCCEEDED (the fine-tune produced no model).
        """
        async with self._store.transaction() as tx:
            releases = await tx.releases.all()
            finetune = await tx.finetunes.get(name)
        exact = [r for r in releases if name.casefold() == r.name]
        exact = exact or [r for r in releases if name in {r.id, str(r.model), r.model.model, r.finetune_id}]
        found = exact or [r for r in releases if r.id.startswith(name)]
        if len(found) > 1:
            # If one model has several prompts, its name means the newest release.
            found = found[:1] if exact else found
        if len(found) > 1:
            raise Refused(Reason.AMBIGUOUS_RELEASE, name=name, ids=", ".join(r.name for r in found))
        if not found:
            raise Refused(Reason.NOT_SUCCEEDED, name=name) if finetune else unknown_release(name, releases)
        return found[0]

    async def switch_if_better(
        self,
        evaluating: Evaluating,
        release: Release,
        by: str,
        *,
        sentence: str | None = None,
        progress: OnProgress = lambda _done, _of: None,
    ) -> Attempt:
        """Compare the release with the serving one, and switch if the gate passes it or an admin gives a reason.

        Args:
            evaluating: Compares the two.
            release: The candidate.
            by: The admin's id.
            sentence: Why the release should serve without a pass; stored; at least LEAST_SENTENCE characters.
            progress: Called after each answer of the comparison.

        Raises:
            Refused: ALREADY_SERVING, SENTENCE_TOO_SHORT, or SERVING_CHANGED if somebody else switched meanwhile.
            ModelDown, ModelRefused: the release does not answer.
        """
        sentence = (sentence or "").strip() or None
        if sentence and len(sentence) < LEAST_SENTENCE:
            raise Refused(Reason.SENTENCE_TOO_SHORT, least=LEAST_SENTENCE)
        await evaluating.probe(release)
        evaluation = await evaluating.evaluate(release, progress)
        decision = evaluation.decision
        if decision is None:
            raise Refused(Reason.ALREADY_SERVING, name=release.name)
        passed = decision.outcome is Outcome.PASSED
        if not (passed or sentence):
            return Attempt(evaluation=evaluation, served=None)
        why, note = ("switch", None) if passed else (OVERRIDE, sentence)
        served = await self.switch(release.id, by, why, note=note, over=decision.serving)
        return Attempt(evaluation=evaluation, served=served)

    async def switch(
        self, release_id: str, by: str, why: str = "switch", *, note: str | None = None, over: str | None = None
    ) -> Release:
        """Make a release serve, with its model and its prompt, whatever the gate says.

        Args:
            release_id: The release that will serve.
            by: The person's id.
            why: `switch` or OVERRIDE.
            note: The sentence of an override.
            over: Id of the release that must still be serving.

        Raises:
            Refused: UNKNOWN_RELEASE, ALREADY_SERVING, SERVING_CHANGED.
        """
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving(lock=True)
            release = await tx.releases.get(release_id)
            if release is None:
                raise unknown_release(release_id, await tx.releases.all())
            if serving and serving.id == release_id:
                raise Refused(Reason.ALREADY_SERVING, name=release.name)
            if over and serving and serving.id != over:
                raise Refused(Reason.SERVING_CHANGED)
            return await self._serve(tx, release, serving, by, why, note)

    async def recalling(self, release_id: str, recall: int, by: str) -> Release:
        """Return the release with the same model and prompt and with `recall` examples (0 to 20); create it if missing.

        Raises:
            Refused: UNKNOWN_RELEASE.
        """
        async with self._store.transaction() as tx:
            releases = await tx.releases.all()
            release = next((r for r in releases if r.id == release_id), None)
            if release is None:
                raise unknown_release(release_id, releases)
            for known in releases:
                if (known.model, known.prompt_id, known.recall) == (release.model, release.prompt_id, recall):
                    return known
            made = await add_candidate(
                tx,
                self._clock.now(),
                release.model,
                prompt_id=release.prompt_id,
                by=by,
                why=f"recall {recall}",
                finetune_id=release.finetune_id,
                recall=recall,
            )
            await tx.audit.add(by, AuditAct.RECALL_CHANGED, self._clock.now(), made.name, {"recall": recall})
            return made

    async def rollback(self, by: str, *, over: str | None = None) -> Release:
        """Switch back to the release that served before. A second rollback goes further back in history.

        Args:
            by: The person's id.
            over: Id of the release that must still be serving.

        Raises:
            Refused: NO_PREVIOUS_RELEASE, SERVING_CHANGED.
        """
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving(lock=True)
            previous = previous_release(await tx.releases.history(limit=1_000))
            release = await tx.releases.get(previous) if previous else None
            if over and serving and serving.id != over:
                raise Refused(Reason.SERVING_CHANGED)
            if serving is None or release is None:
                raise Refused(Reason.NO_PREVIOUS_RELEASE)
            return await self._serve(tx, release, serving, by, ROLLBACK)


def unknown_release(name: str, releases: Sequence[Release]) -> Refused:
    """Return the refusal of a name that no release has, with the nearest names, or the newest."""
    near = get_close_matches(name.casefold(), [one.name for one in releases], n=3)
    return Refused(Reason.UNKNOWN_RELEASE, name=name, near=", ".join(near or [one.name for one in releases[:3]]))


def previous_release(history: Sequence[ReleaseEvent]) -> str | None:
    """Return the id of the release to roll back to, from the history (newest first).

    A switch pushes its release onto a stack. A rollback pops all releases above its own, so the next one goes further
    back.
    """
    stack: list[str] = []
    for event in reversed(history):
        if event.state is not ReleaseState.SERVING:
            continue
        if event.why == ROLLBACK and event.release_id in stack[:-1]:
            del stack[len(stack) - 1 - stack[-2::-1].index(event.release_id) :]
        else:
            stack.append(event.release_id)
    return stack[-2] if len(stack) > 1 else None


async def add_candidate(  # noqa: PLR0913 - a release has that many parts
    tx: Transaction,
    now: datetime,
    model: ModelName,
    *,
    prompt_id: str,
    by: str,
    why: str,
    finetune_id: str | None = None,
    recall: int = 0,
) -> Release:
    """Store a new candidate release and return it."""
    release = Release(
        id=uuid.uuid4().hex[:8],
        model=model,
        prompt_id=prompt_id,
        recall=recall,
        state=ReleaseState.CANDIDATE,
        finetune_id=finetune_id,
        created_at=now,
    )
    return await tx.releases.add(release, by, why)
