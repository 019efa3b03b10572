"""Block Kit for the risk and coverage of confidence thresholds."""

from bot.domain.certainty import ASSURANCE, FEWEST_JUDGED, TARGET, Cut
from bot.releases.threshold import ThresholdReport
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.message import Message, context, section


def table(report: ThresholdReport, words: Words) -> Message:
    """Return the current threshold, the risk and coverage of others, and the advised one with its rule."""
    release = report.release
    title = words("unsure.title", release=release.id, model=escaped(str(release.model)))
    lines = [f"*{title}*", _current(release.unsure_below, words)]
    if report.stale is not None:
        lines[1] = words("unsure.stale", threshold=report.stale, release=release.id)
    if report.cuts:
        lines += [words("unsure.head", rows=report.rows), *(_line(cut, words) for cut in report.cuts)]
    if report.filtered:
        lines.append(words("evaluate.filtered", n=report.filtered))
    rule = {"target": f"{TARGET:.0%}", "assurance": f"{ASSURANCE:.0%}", "least": FEWEST_JUDGED, "rows": report.rows}
    blocks = [
        section("\n".join(lines)),
        section(_advice(report, words)),
        section(_out_of_scope(report, words)),
        context(words("unsure.rule", **rule)),
    ]
    return Message(title, blocks)


def _current(threshold: float | None, words: Words) -> str:
    return words("unsure.never") if threshold is None else words("unsure.below", threshold=threshold)


def _line(cut: Cut, words: Words) -> str:
    return words(
        "unsure.cut",
        threshold=f"{cut.threshold:.4f}",
        coverage=f"{cut.coverage:.0%}",
        risk=f"{cut.risk:.1%}",
        bound=f"{cut.bound:.1%}",
    )


def _advice(report: ThresholdReport, words: Words) -> str:
    if report.advised is None:
        return words("unsure.no_advice")
    if report.advised.threshold == 0:
        return words("unsure.always")
    return words("unsure.advice", threshold=report.advised.threshold, release=report.release.id)


def _out_of_scope(report: ThresholdReport, words: Words) -> str:
    scope = report.out_of_scope
    if not scope.rows:
        return words("unsure.no_scope")
    precision = "–" if scope.precision is None else f"{scope.precision:.0%}"
    facts = {"rows": scope.rows, "caught": f"{scope.share_caught:.0%}", "recall": f"{scope.recall:.0%}"}
    return words("unsure.scope", precision=precision, said=scope.said, **facts)
