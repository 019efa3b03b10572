"""Block Kit for how sure a release must be, with the risk and coverage of confidence thresholds in the details."""

from bot.domain.certainty import ASSURANCE, FEWEST_JUDGED, TARGET, Cut
from bot.domain.dataset import HELD_OUT_PERCENT
from bot.releases.threshold import ThresholdReport
from handlers.texts.words import Words
from handlers.views.details import DetailsOf, brief, details_button
from handlers.views.ids import UNSURE_AUTO, NamedPayload
from handlers.views.message import Block, Message, button
from handlers.views.version import technical


def percent(share: float) -> str:
    """Return a threshold as people read and type it: `62%`, and `62.5%` where the half counts."""
    return f"{round(share * 100, 2):g}%"


def table(report: ThresholdReport, words: Words) -> Message:
    """Return when the release asks staff instead of answering, and what the advised threshold would bring."""
    release, buttons = report.release, list[Block]()
    if report.stale is not None:
        lines = [words("unsure.stale", name=release.name)]
    elif release.unsure_below is None:
        lines = [words("unsure.never", name=release.name)]
    else:
        lines = [words("unsure.below", name=release.name, threshold=percent(release.unsure_below))]
    lines.append(_advice(report, words))
    if report.advised is not None and (report.advised.threshold or None) != release.unsure_below:
        text = words("unsure.use", threshold=percent(report.advised.threshold))
        text = text if report.advised.threshold else words("unsure.use_none")
        buttons = [button(text, UNSURE_AUTO, NamedPayload(id=release.id).packed())]
    return brief(lines, [*buttons, details_button(DetailsOf.UNSURE, release.id, words)], f"unsure.{release.id}")


def _advice(report: ThresholdReport, words: Words) -> str:
    advised = report.advised
    if advised is None:
        missing = (FEWEST_JUDGED - report.rows) * 100 // HELD_OUT_PERCENT
        return words("unsure.no_advice", n=missing) if missing > 0 else words("unsure.no_limit")
    if advised.threshold == 0:
        return words("unsure.always")
    facts = {"coverage": f"{advised.coverage:.0%}", "risk": f"{advised.risk:.0%}"}
    return words("unsure.advice", threshold=percent(advised.threshold), **facts)


def paragraphs(report: ThresholdReport, words: Words) -> list[str]:
    """Return the effect of each threshold, the figures on out-of-scope questions, and the rule."""
    head = [words("details.unsure.head", rows=report.rows), *(_line(cut, words) for cut in report.cuts)]
    rule = {"target": f"{TARGET:.0%}", "assurance": f"{ASSURANCE:.0%}", "least": FEWEST_JUDGED, "rows": report.rows}
    first = [technical(report.release, words)]
    if report.stale is not None:
        first.append(words("details.unsure.stale", threshold=percent(report.stale)))
    if report.filtered:
        first.append(words("evaluate.filtered", n=report.filtered))
    paragraphs = ["\n".join(first), *(["\n".join(head)] if report.cuts else [])]
    return [*paragraphs, _out_of_scope(report, words), words("details.unsure.rule", **rule)]


def _line(cut: Cut, words: Words) -> str:
    return words(
        "details.unsure.cut",
        threshold=percent(cut.threshold),
        coverage=f"{cut.coverage:.0%}",
        risk=f"{cut.risk:.1%}",
        bound=f"{cut.bound:.1%}",
    )


def _out_of_scope(report: ThresholdReport, words: Words) -> str:
    scope = report.out_of_scope
    if not scope.rows:
        return words("details.unsure.no_scope")
    precision = "–" if scope.precision is None else f"{scope.precision:.0%}"
    facts = {"rows": scope.rows, "caught": f"{scope.share_caught:.0%}", "recall": f"{scope.recall:.0%}"}
    return words("details.unsure.scope", precision=precision, said=scope.said, **facts)
