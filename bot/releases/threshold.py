"""The confidence threshold below which a release says that it is unsure."""

import logging

from bot.domain.audit import AuditAct
from bot.domain.certainty import FEWEST_JUDGED, Cut, OutOfScope, cuts, lowest_threshold
from bot.domain.errors import Reason, Refused
from bot.domain.release import Release
from bot.domain.thing import Thing
from bot.ports import Clock, Store
from bot.releases.evaluating import Evaluating, OnProgress

log = logging.getLogger(__name__)


class ThresholdReport(Thing):
    """The effect of each threshold on the held-out rows, and the advised threshold. `release` has the current one."""

    release: Release
    rows: int
    """Number of held-out rows whose answer has a confidence."""
    cuts: tuple[Cut, ...]
    advised: Cut | None
    out_of_scope: OutOfScope
    """Figures on out-of-scope questions at the current threshold."""
    filtered: int = 0
    """Number of held-out rows that the provider's content filter stopped. They have no confidence."""
    stale: float | None = None
    """A threshold of an earlier revision of the embedded model. It is not applied, and `release` is without it."""


class Thresholding:
    """Thresholds. Each release has its own, because the confidences of two models cannot be compared."""

    def __init__(self, store: Store, evaluating: Evaluating, clock: Clock) -> None:
        self._store = store
        self._evaluating = evaluating
        self._clock = clock

    async def report(self, release: Release, progress: OnProgress = lambda _done, _of: None) -> ThresholdReport:
        """Ask the release the held-out rows that it has not answered yet, and return the effect of each threshold.

        Raises:
            ModelDown, ModelRefused: the release did not answer.
        """
        judged = await self._evaluating.judge_held_out(release, progress)
        async with self._store.transaction() as tx:
            prompt = await tx.prompts.get(release.prompt_id)
        applied = self.applied(release)
        other = next((c.id for c in prompt.categories if c.other), "") if prompt else ""
        found = cuts(judged)
        return ThresholdReport(
            release=applied,
            stale=release.unsure_below if release.unsure_below != applied.unsure_below else None,
            rows=sum(one.result.confidence is not None for one in judged),
            filtered=sum(one.result.filtered for one in judged),
            cuts=tuple(found),
            advised=lowest_threshold(found),
            out_of_scope=OutOfScope.of(judged, other, applied.unsure_below or 0.0),
        )

    def applied(self, release: Release) -> Release:
        """Return the release without a threshold that was chosen under another revision of its model."""
        return release.under(self._evaluating.revision(release))

    async def set(self, release: Release, threshold: float | None, by: str) -> Release:
        """Set the confidence below which the release is unsure, from the next question on; None means never."""
        revision = self._evaluating.revision(release)
        async with self._store.transaction() as tx:
            await tx.releases.set_unsure_below(release.id, threshold, revision)
            facts = {"threshold": "off" if threshold is None else f"{threshold:g}"}
            await tx.audit.add(by, AuditAct.THRESHOLD_CHANGED, self._clock.now(), release.name, facts)
        log.info("release %s: unsure below %s, set by %s", release.id, threshold, by)
        return release.model_copy(update={"unsure_below": threshold, "unsure_revision": revision})

    async def set_advised(self, release: Release, by: str) -> ThresholdReport:
        """Set the advised threshold, or none if none is needed, and return its effect.

        Raises:
            Refused: NO_THRESHOLD, with the number of `rows` and the `least` number needed.
            ModelDown, ModelRefused: the release did not answer.
        """
        doubts = await self.report(release)
        if doubts.advised is None:
            raise Refused(Reason.NO_THRESHOLD, rows=doubts.rows, least=FEWEST_JUDGED)
        await self.set(release, doubts.advised.threshold or None, by)
        async with self._store.transaction() as tx:
            now = await tx.releases.get(release.id)
        return await self.report(now or release)
