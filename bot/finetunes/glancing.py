"""The top of an admin's App Home: the version in use, how often it was right, and the next best step."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from bot.dataset.permitting import Permitting
from bot.domain.budget import Spend
from bot.domain.dataset import Split
from bot.domain.gain import RARE_BELOW
from bot.domain.next_step import NextStep, Step
from bot.domain.prompt import Prompt
from bot.domain.proposal import NEW_ANSWERS, Proposal, ProposalState
from bot.domain.release import EMBEDDED, ModelName, Release, ReleaseState
from bot.domain.thing import Thing
from bot.domain.training_file import FEWEST_EXAMPLES
from bot.finetunes.budget import Spending
from bot.finetunes.proposing import Proposing
from bot.ports import Clock, Neighbours, Store, Transaction

WEEKS = 4
"""Number of weeks, the present one included, for which the share of right answers is shown."""
GLANCE_KEPT = timedelta(seconds=10)
"""Age up to which a glance is shown again without reading anything."""


class Week(Thing):
    """The answers of one week that staff judged: how many, and how many were right. The first week is the oldest."""

    start: datetime
    judged: int
    right: int


class Glance(Thing):
    """The state of the loop in few figures."""

    serving: Release
    prompt: Prompt
    weeks: tuple[Week, ...]
    step: Step
    confirm: int
    """Number of answers to confirm before the next training."""
    proposal: Proposal | None
    proposed: Release | None
    candidate: Release | None
    """The newest version that an admin trained by hand and that nobody has compared; None if there is none."""
    newest: int
    """Number of the newest version."""
    examples: dict[str, int]
    """Category id → training examples."""
    spend: Spend
    conflicts: int
    allowed: bool = True
    """Whether new versions may be trained; if not, an admin has to allow it first."""
    ends: date | None = None
    """The day on which the provider shuts down the model in use; None if no end is known."""
    student_ends: date | None = None
    """The same for the model that new versions are trained from."""

    @property
    def next(self) -> NextStep:
        """Return the next step with the facts that its text names."""
        if self.step is Step.COMPARE and self.candidate:
            return NextStep(step=self.step, confirm=self.confirm, name=self.candidate.name)
        if self.step is not Step.SWITCH or not self.proposal or not self.proposed:
            return NextStep(step=self.step, confirm=self.confirm)
        fixed, broken = self.proposal.fixed, self.proposal.broken
        return NextStep(step=self.step, confirm=self.confirm, name=self.proposed.name, fixed=fixed, broken=broken)

    @property
    def rare(self) -> dict[str, int]:
        """Return category id → how many examples are missing, for each category with too few."""
        few = {category.id: RARE_BELOW - self.examples.get(category.id, 0) for category in self.prompt.categories}
        return {category: missing for category, missing in few.items() if missing > 0}


class Glancing:
    """The glance, read from counts and indexes alone, never row by row, and kept for a moment."""

    def __init__(  # noqa: PLR0913, PLR0917 - every port is needed
        self,
        store: Store,
        proposing: Proposing,
        spending: Spending,
        neighbours: Neighbours,
        clock: Clock,
        student: ModelName,
        permitting: Permitting,
    ) -> None:
        self._permitting = permitting
        self._store = store
        self._proposing = proposing
        self._spending = spending
        self._neighbours = neighbours
        self._clock = clock
        self._student = student
        self._free = student.provider == EMBEDDED
        self._kept: tuple[datetime, Glance] | None = None

    async def glance(self) -> Glance:
        """Return the glance, at most `GLANCE_KEPT` old.

        Raises:
            LookupError: No release serves.
        """
        now = self._clock.now()
        if self._kept is None or now - self._kept[0] > GLANCE_KEPT:
            self._kept = now, await self._read(now)
        return self._kept[1]

    def forget(self) -> None:
        """Read everything anew next time, because a press changed it."""
        self._kept = None

    async def _read(self, now: datetime) -> Glance:
        conflicts = len(await self._neighbours.conflicts())
        async with self._store.snapshot() as tx:
            serving = await tx.releases.serving()
            prompt = await tx.prompts.get(serving.prompt_id) if serving else None
            if serving is None or prompt is None:
                raise LookupError("no release serves")
            counts = await tx.rows.counts()
            examples = {category: n for (category, split), n in counts.items() if split is Split.TRAIN}
            opened = await tx.proposals.within([ProposalState.OPEN])
            new = await self._proposing.new_answers(tx)
            under_way = await tx.finetunes.under_way()
            first = _monday(now) - timedelta(weeks=WEEKS - 1)
            judged = await tx.corrections.judged(first)
            releases = await tx.releases.all()
            candidate = await self._uncompared(tx, releases, serving)
            missing = max(NEW_ANSWERS - new, FEWEST_EXAMPLES - sum(examples.values()), 0)
            return Glance(
                serving=serving,
                prompt=prompt,
                weeks=tuple(_week(first + timedelta(weeks=n), judged) for n in range(WEEKS)),
                step=self._step(
                    switch=bool(opened), training=bool(under_way), compare=candidate is not None, missing=missing
                ),
                confirm=missing,
                proposal=opened[0] if opened else None,
                proposed=await tx.releases.get(opened[0].release_id or "") if opened else None,
                candidate=candidate,
                newest=max(release.version for release in releases),
                examples=examples,
                spend=await self._spending.month(tx),
                conflicts=conflicts,
                allowed=(await self._permitting.read(tx)).allowed,
                ends=self._spending.ends(serving.model),
                student_ends=self._spending.ends(self._student),
            )

    async def _uncompared(self, tx: Transaction, releases: Sequence[Release], serving: Release) -> Release | None:
        """Return the newest trained version since the one in use, if no proposal holds what a comparison found."""
        trained = [one for one in releases if one.finetune_id and one.state is ReleaseState.CANDIDATE]
        newest = max(trained, key=lambda one: one.version, default=None)
        if newest is None or newest.version < serving.version or await tx.proposals.get(newest.finetune_id or ""):
            return None
        return newest

    def _step(self, *, switch: bool, training: bool, compare: bool, missing: int) -> Step:
        if training:
            return Step.TRAINING
        if switch:
            return Step.SWITCH
        if compare:
            return Step.COMPARE
        if missing:
            return Step.CONFIRM
        return Step.TRAIN if self._free else Step.TRAIN_PAID


def _monday(now: datetime) -> datetime:
    return (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)


def _week(start: datetime, judged: list[tuple[datetime, bool]]) -> Week:
    right = [ok for at, ok in judged if start <= at < start + timedelta(weeks=1)]
    return Week(start=start, judged=len(right), right=sum(right))
