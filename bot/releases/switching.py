"""Switches to another release: with a pass of the gate, or with an admin's sentence instead."""

from bot.domain.errors import Reason, Refused
from bot.domain.evaluation import Evaluation
from bot.domain.gate import LEAST_SENTENCE, Outcome
from bot.domain.release import Release
from bot.domain.thing import Thing
from bot.releases.evaluating import Evaluating, OnProgress
from bot.releases.releasing import OVERRIDE, Releasing


class Attempt(Thing):
    """The result of an attempt to switch.

    Attributes:
        evaluation: the figures that the gate decided on.
        served: the release that now serves; None if the gate did not pass it.
    """

    evaluation: Evaluation
    served: Release | None


class Switching:
    """Switches of the serving release. Each needs a pass of the gate, or an admin's sentence that gives a reason."""

    def __init__(self, evaluating: Evaluating, releasing: Releasing) -> None:
        self._evaluating = evaluating
        self._releasing = releasing

    async def switch(
        self, release: Release, by: str, *, sentence: str | None = None, progress: OnProgress = lambda _done, _of: None
    ) -> Attempt:
        """Compare the release with the serving one, and switch if the gate passes it.

        Args:
            release: the candidate.
            by: the admin's id.
            sentence: why the release should serve without a pass; stored; at least LEAST_SENTENCE characters.
            progress: called after each answer of the comparison.

        Raises:
            Refused: ALREADY_SERVING, SENTENCE_TOO_SHORT, or SERVING_CHANGED if somebody else switched meanwhile.
            ModelDown, ModelRefused: the release does not answer.
        """
        sentence = (sentence or "").strip() or None
        if sentence and len(sentence) < LEAST_SENTENCE:
            raise Refused(Reason.SENTENCE_TOO_SHORT, least=LEAST_SENTENCE)
        await self._evaluating.probe(release)
        evaluation = await self._evaluating.evaluate(release, progress)
        decision = evaluation.decision
        if decision is None:
            raise Refused(Reason.ALREADY_SERVING, name=str(release.model))
        passed = decision.outcome is Outcome.PASSED
        if not (passed or sentence):
            return Attempt(evaluation=evaluation, served=None)
        why, note = ("switch", None) if passed else (OVERRIDE, sentence)
        served = await self._releasing.switch(release.id, by, why, note=note, over=decision.serving)
        return Attempt(evaluation=evaluation, served=served)
