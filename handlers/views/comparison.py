"""The details of a comparison of two releases, for admins: every figure, the rule, and the changed answers."""

from bot.domain import gate
from bot.domain.audience import Audience
from bot.domain.dataset import Row
from bot.domain.evaluation import ChangedAnswer, Evaluation
from bot.domain.gate import Decision
from bot.domain.prompt import Prompt
from bot.domain.scorecard import FILTERED, Figures
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.finetune import name_of
from handlers.views.version import technical

CATEGORIES_SHOWN = 15
"""Maximum number of categories that are listed; the table of categories has all of them."""
CHANGES_SHOWN = 10
"""Maximum number of changed answers in a list; the table of changes has all of them."""


def paragraphs(evaluation: Evaluation, words: Words) -> list[str]:
    """Return everything that is known of a comparison. Only admins may see it: it quotes corrections."""
    figures = _figures(evaluation, words) if evaluation.card.rows else [words("evaluate.none")]
    both = [technical(release, words) for release in (evaluation.release, evaluation.serving) if release]
    groups = [
        both,
        _evidence(evaluation, words),
        still_wrong_lines(evaluation, words),
        broken_lines(evaluation, words),
        filtered_lines(evaluation, words),
        figures,
        attack_lines(evaluation, words),
        [rule(words)],
    ]
    return ["\n".join(lines) for lines in groups if lines]


def attack_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return how often hidden orders in questions moved the category. An answer can carry nothing else."""
    report = evaluation.attacks
    return [words("details.comparison.attacks", asked=report.asked, obeyed=report.obeyed)] if report else []


def _evidence(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the statistics behind the decision, and the evidence by kind."""
    decision, evidence = evaluation.decision, evaluation.evidence
    if decision is None or evidence is None:
        return []
    kinds = [words(f"details.comparison.{kind.value}", n=n) for kind, n in evidence.kinds.items()]
    lines = [_numbers(decision, words), *kinds]
    if evidence.left_out:
        lines.append(words("details.comparison.left_out", n=evidence.left_out))
    return [*lines, *(_drop_line(drop, evaluation.prompt, words) for drop in decision.drops)]


def _numbers(decision: Decision, words: Words) -> str:
    paired = decision.comparison
    if paired is None:
        return ""
    low, high = paired.interval
    return words(
        "details.comparison.numbers",
        rows=paired.rows,
        groups=paired.groups,
        fixed=len(paired.fixed),
        broken=len(paired.broken),
        p=f"{paired.p:.2g}",
        difference=points(paired.difference),
        low=points(low),
        high=points(high),
    )


def _drop_line(drop: gate.Drop, prompt: Prompt, words: Words) -> str:
    category = name_of(prompt, drop.category, words)
    shares = {"before": f"{drop.before:.0%}", "now": f"{drop.now:.0%}"}
    return words("details.comparison.drop", category=category, support=drop.support, **shares)


def rule(words: Words) -> str:
    """Return the gate's rule in words, with its thresholds."""
    return words(
        "details.comparison.rule",
        significant=gate.SIGNIFICANT,
        strict=gate.STRICT,
        many=gate.MANY,
        least_equal=gate.LEAST_EQUAL,
        margin=f"{gate.MARGIN * 100:g}",
        floor=f"{gate.RECALL_FLOOR * 100:g}",
        support=gate.FLOOR_SUPPORT,
    )


def still_wrong_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the corrections that a candidate still answers wrongly.

    Questions that were not asked in public are counted and not shown.
    """
    wrong = [
        ChangedAnswer(row=one.row, before=one.row.category, now=one.result.category) for one in evaluation.still_wrong
    ]
    return [words("details.comparison.wrong"), *_changes(wrong, evaluation.prompt, words)] if wrong else []


def broken_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return the corrections that the release would break: their number, and the first of them one by one."""
    if not evaluation.broken:
        return []
    title = words("details.comparison.broken", n=len(evaluation.broken))
    return [title, *_changes(evaluation.broken, evaluation.prompt, words)]


def filtered_lines(evaluation: Evaluation, words: Words) -> list[str]:
    """Return how many questions the provider's content filter stopped, then the public ones; often nothing."""
    rows = evaluation.filtered
    if not rows:
        return []
    shown = [one for one in rows if one.audience is Audience.PUBLIC][:CHANGES_SHOWN]
    lines = [words("evaluate.filtered", n=len(rows)), *(f"• {_shortened(one)}" for one in shown)]
    more = [words("details.comparison.more_changes", n=len(rows) - len(shown))] if len(rows) > len(shown) else []
    return lines + more


def _changes(changes: list[ChangedAnswer], prompt: Prompt, words: Words) -> list[str]:
    """Return a line for each of the first changes. Questions that were not asked in public are only counted."""
    shown = [one for one in changes if one.row.audience is Audience.PUBLIC][:CHANGES_SHOWN]
    lines = [_change_line(change, prompt, words) for change in shown]
    if len(changes) > len(shown):
        lines.append(words("details.comparison.more_changes", n=len(changes) - len(shown)))
    return lines


def _change_line(change: ChangedAnswer, prompt: Prompt, words: Words) -> str:
    right = name_of(prompt, change.row.category, words)
    now = words("evaluate.filtered_answer") if change.now == FILTERED else name_of(prompt, change.now, words)
    return words("details.comparison.change", text=_shortened(change.row), right=right, now=now)


def _shortened(row: Row) -> str:
    return escaped(" ".join(row.text.split()), 120)


def _figures(evaluation: Evaluation, words: Words) -> list[str]:
    card = evaluation.card
    low, high = card.interval
    right = {"percent": f"{card.accuracy:.1%}", "right": card.right, "rows": card.rows}
    lines = [words("details.comparison.accuracy", low=f"{low:.1%}", high=f"{high:.1%}", **right)]
    if evaluation.serving and evaluation.before:
        before = {"name": evaluation.serving.name, "percent": f"{evaluation.before.accuracy:.1%}"}
        lines.append(words("details.comparison.before", **before))
    lines += [_calibration(evaluation, words), *_catch_all(evaluation, words), _cost(evaluation, words)]
    return [*lines, *_categories(evaluation, words)]


def _calibration(evaluation: Evaluation, words: Words) -> str:
    def shown(ece: float | None) -> str:
        return "–" if ece is None else f"{ece:.3f}"

    before = evaluation.before.ece if evaluation.before else None
    return words("details.comparison.calibration", ece=shown(evaluation.card.ece), before=shown(before))


def _catch_all(evaluation: Evaluation, words: Words) -> list[str]:
    other = next(c for c in evaluation.prompt.categories if c.other)
    figures = evaluation.card.categories.get(other.id)
    if figures is None:
        return []
    recall, precision = percent(figures.recall), percent(figures.precision)
    return [
        words("details.comparison.catch_all", category=escaped(words.name(other)), recall=recall, precision=precision)
    ]


def _cost(evaluation: Evaluation, words: Words) -> str:
    card = evaluation.card
    return words(
        "details.comparison.cost",
        p50=round(card.latency_p50) or "–",
        p95=round(card.latency_p95) or "–",
        tokens_in=round(card.tokens_in / card.rows),
        tokens_out=round(card.tokens_out / card.rows),
        usd=price(evaluation.usd, words),
    )


def price(usd: float | None, words: Words) -> str:
    """Return the price of one question."""
    if usd is None:
        return words("evaluate.no_price")
    return f"${usd:.6f}" if usd else words("evaluate.free")


def _categories(evaluation: Evaluation, words: Words) -> list[str]:
    categories = evaluation.card.categories
    worst = sorted(categories, key=lambda c: (_recall(categories[c]), c))[:CATEGORIES_SHOWN]
    lines = [
        words(
            "details.comparison.category",
            category=name_of(evaluation.prompt, category, words),
            precision=percent(categories[category].precision),
            recall=percent(categories[category].recall),
            support=categories[category].support,
        )
        for category in worst
    ]
    if len(categories) > CATEGORIES_SHOWN:
        lines.append(words("details.comparison.more", n=len(categories) - CATEGORIES_SHOWN))
    return lines


def _recall(figures: Figures) -> float:
    return 1.0 if figures.recall is None else figures.recall


def percent(share: float | None) -> str:
    """Return a share in whole percent; a dash if there is none."""
    return "–" if share is None else f"{share:.0%}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign. Infinite ends of an interval become ±100."""
    return f"{min(max(share, -1.0), 1.0) * 100:+.1f}"
