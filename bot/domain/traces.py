"""The conversion of answers and corrections into traces and feedback for a tracker."""

from collections.abc import Mapping

from bot.domain.correction import Correction
from bot.domain.mirror import Feedback, Purpose, Trace, feedback_id, pseudonym, trace_id
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import Release
from bot.domain.scorecard import Judged
from bot.domain.shadow import Shadow
from bot.domain.thing import Thing


class TracedRelease(Thing):
    """The release that gave an answer, its prompt, and the cost of the answer."""

    release: Release
    prompt: Prompt
    usd: float | None
    """Cost of the answer in US dollars; None if the price is unknown."""

    def named(self, category: str) -> str:
        """Return a category's name, or its id if the release's prompt does not have it."""
        known = self.prompt.category(category)
        return known.name if known else category

    def facts(self) -> Mapping[str, object]:
        return {
            "release_id": self.release.id,
            "prompt_id": self.prompt.id,
            "model": self.release.model,
            "usd": self.usd,
        }


def verdict_trace(verdict: Verdict, question: Question, asked: TracedRelease) -> Trace:
    """Return the trace of a live answer. It has no words while an author of the question's words has not agreed."""
    return Trace(
        id=verdict.trace,
        purpose=Purpose.MEMORY if verdict.from_memory else Purpose.SERVING,
        about=question.id,
        text="" if question.withheld else question.text,
        category=asked.named(verdict.category),
        reason=None if question.withheld else verdict.reason,
        **verdict.model_dump(include={"confidence", "tokens_in", "tokens_out", "latency_ms", "at"}),
        **asked.facts(),
    )


def shadow_trace(shadow: Shadow, question: Question, asked: TracedRelease) -> Trace:
    """Return the trace of a shadow answer."""
    return Trace(
        id=trace_id(shadow.at, "shadow", shadow.question_id, shadow.release_id),
        purpose=Purpose.SHADOW,
        about=question.id,
        text="" if question.withheld else question.text,
        category=asked.named(shadow.category),
        **shadow.model_dump(include={"confidence", "tokens_in", "tokens_out", "at"}),
        **asked.facts(),
    )


def result_trace(judged: Judged, asked: TracedRelease, experiment: str) -> Trace:
    """Return the trace of an answer in an evaluation.

    Results are shared between experiments, so each experiment gets a trace id of its own.
    """
    result = judged.result
    return Trace(
        id=trace_id(result.at, "evaluation", experiment, judged.row.id),
        purpose=Purpose.EVALUATION,
        about=judged.row.id,
        text=judged.row.text,
        category=asked.named(result.category),
        **result.model_dump(include={"confidence", "tokens_in", "tokens_out", "latency_ms", "at"}),
        **asked.facts(),
    )


def correction_feedback(correction: Correction, verdict: Verdict, name: str, key: bytes) -> Feedback:
    """Return the feedback of a correction.

    Args:
        correction: The correction.
        verdict: The verdict that it corrects.
        name: Name of the category.
        key: Secret key of the pseudonyms.
    """
    before = correction.seq - 1
    return Feedback(
        id=feedback_id(correction.question_id, correction.seq),
        replaces=feedback_id(correction.question_id, before) if before else None,
        trace_id=verdict.trace,
        kind=correction.kind,
        category=name,
        by=pseudonym(key, correction.by),
        at=correction.at,
    )
