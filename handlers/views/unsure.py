"""Risk and coverage of thresholds: things in, Block Kit out."""

from bot.domain.certainty import ASSURANCE, FEWEST_JUDGED, TARGET, Cut
from bot.releases.threshold import ThresholdReport
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.message import Message, context, section


def table(doubts: ThresholdReport, words: Words) -> Message:
    """What holds, what each threshold comes to, and which one is advised by which rule."""
    release = doubts.release
    title = words("unsure.title", release=release.id, model=escaped(str(release.model)))
    lines = [f"*{title}*", _holds(release.unsure_below, words)]
    if doubts.cuts:
        lines += [words("unsure.head", rows=doubts.rows), *(_line(cut, words) for cut in doubts.cuts)]
    rule = {"target": f"{TARGET:.0%}", "assurance": f"{ASSURANCE:.0%}", "least": FEWEST_JUDGED, "rows": doubts.rows}
    blocks = [
        section("\n".join(lines)),
        section(_advice(doubts, words)),
        section(_out_of_scope(doubts, words)),
        context(words("unsure.rule", **rule)),
    ]
    return Message(title, blocks)


def _holds(threshold: float | None, words: Words) -> str:
    return words("unsure.never") if threshold is None else words("unsure.below", threshold=threshold)


def _line(cut: Cut, words: Words) -> str:
    return words(
        "unsure.cut",
        threshold=f"{cut.threshold:.4f}",
        coverage=f"{cut.coverage:.0%}",
        risk=f"{cut.risk:.1%}",
        bound=f"{cut.bound:.1%}",
    )


def _advice(doubts: ThresholdReport, words: Words) -> str:
    if doubts.advised is None:
        return words("unsure.no_advice")
    if doubts.advised.threshold == 0:
        return words("unsure.always")
    return words("unsure.advice", threshold=doubts.advised.threshold, release=doubts.release.id)


def _out_of_scope(doubts: ThresholdReport, words: Words) -> str:
    scope = doubts.out_of_scope
    if not scope.rows:
        return words("unsure.no_scope")
    precision = "–" if scope.precision is None else f"{scope.precision:.0%}"
    facts = {"rows": scope.rows, "caught": f"{scope.share_caught:.0%}", "recall": f"{scope.recall:.0%}"}
    return words("unsure.scope", precision=precision, said=scope.said, **facts)
